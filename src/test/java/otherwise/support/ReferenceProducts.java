package otherwise.support;

import otherwise.backend.AttentionSpec;
import otherwise.backend.ConvSpec;
import otherwise.backend.MatmulSpec;

/// Matrix product, convolution and attention in plain loops; see [Reference].
final class ReferenceProducts {
    private ReferenceProducts() {}

    static void matmul(HostStorage y, HostStorage a, HostStorage b, HostStorage bias, MatmulSpec s, boolean accumulate) {
        for (long batch = 0; batch < s.batch(); batch++)
            for (long i = 0; i < s.m(); i++)
                for (long j = 0; j < s.n(); j++) {
                    long at = (batch * s.m() + i) * s.n() + j;
                    double sum = accumulate ? y.at(at) : 0;
                    if (bias != null) sum += bias.at(j);
                    for (long k = 0; k < s.k(); k++) {
                        double u = a.at(batch * s.strideA() + (s.transposeA() ? k * s.m() + i : i * s.k() + k));
                        double v = b.at(batch * s.strideB() + (s.transposeB() ? j * s.k() + k : k * s.n() + j));
                        sum += u * v;
                    }
                    y.set(at, sum);
                }
    }

    /// One product of the sum that a convolution is: which elements of x, weight and y meet.
    @FunctionalInterface
    private interface Meeting {
        void of(long x, long weight, long y);
    }

    /// Visits every product once. The three directions of a convolution are the same products, added up elsewhere.
    private static void forEachProduct(ConvSpec s, Meeting meeting) {
        for (long b = 0; b < s.batch(); b++)
            for (long o = 0; o < s.outputs(); o++)
                for (long t = 0; t < s.outT(); t++)
                    for (long h = 0; h < s.outH(); h++)
                        for (long w = 0; w < s.outW(); w++) {
                            long y = (((b * s.outputs() + o) * s.outT() + t) * s.outH() + h) * s.outW() + w;
                            for (long i = 0; i < s.inputs(); i++) taps(s, meeting, b, o, i, t, h, w, y);
                        }
    }

    private static void taps(ConvSpec s, Meeting meeting, long b, long o, long i, long t, long h, long w, long y) {
        for (long dt = 0; dt < s.kernelT(); dt++)
            for (long dh = 0; dh < s.kernelH(); dh++)
                for (long dw = 0; dw < s.kernelW(); dw++) {
                    long xt = t * s.strideT() + dt - s.frontT();
                    long xh = h * s.strideH() + dh - s.frontH();
                    long xw = w * s.strideW() + dw - s.frontW();
                    if (xt < 0 || xt >= s.t() || xh < 0 || xh >= s.h() || xw < 0 || xw >= s.w()) continue;
                    long x = (((b * s.inputs() + i) * s.t() + xt) * s.h() + xh) * s.w() + xw;
                    long weight = (((o * s.inputs() + i) * s.kernelT() + dt) * s.kernelH() + dh) * s.kernelW() + dw;
                    meeting.of(x, weight, y);
                }
    }

    private static void zero(HostStorage y) {
        for (long i = 0; i < y.size(); i++) y.set(i, 0);
    }

    static void conv3d(HostStorage y, HostStorage x, HostStorage weight, HostStorage bias, ConvSpec s) {
        long pixels = s.outT() * s.outH() * s.outW();
        for (long i = 0; i < y.size(); i++) y.set(i, bias == null ? 0 : bias.at(i / pixels % s.outputs()));
        forEachProduct(s, (ix, iw, iy) -> y.add(iy, x.at(ix) * weight.at(iw)));
    }

    static void conv3dToInput(HostStorage dx, HostStorage dy, HostStorage weight, ConvSpec s) {
        zero(dx);
        forEachProduct(s, (ix, iw, iy) -> dx.add(ix, dy.at(iy) * weight.at(iw)));
    }

    static void conv3dToWeight(HostStorage dweight, HostStorage dbias, HostStorage dy, HostStorage x, ConvSpec s) {
        zero(dweight);
        forEachProduct(s, (ix, iw, iy) -> dweight.add(iw, dy.at(iy) * x.at(ix)));
        if (dbias == null) return;
        zero(dbias);
        long pixels = s.outT() * s.outH() * s.outW();
        for (long i = 0; i < dy.size(); i++) dbias.add(i / pixels % s.outputs(), dy.at(i));
    }

    /// Where the vector of one head begins in `[batch, positions, heads, width]`.
    private static long head(AttentionSpec s, long positions, long b, long position, long h) {
        return ((b * positions + position) * s.heads() + h) * s.width();
    }

    private static double dot(HostStorage a, long ia, HostStorage b, long ib, long n) {
        double sum = 0;
        for (long i = 0; i < n; i++) sum += a.at(ia + i) * b.at(ib + i);
        return sum;
    }

    private static double score(AttentionSpec s, HostStorage q, HostStorage k, long b, long h, long i, long j) {
        return s.scale() * dot(q, head(s, s.length(), b, i, h), k, head(s, s.keys(), b, j, h), s.width());
    }

    static void attention(HostStorage y, HostStorage logsumexp, HostStorage q, HostStorage k, HostStorage v, AttentionSpec s) {
        for (long b = 0; b < s.batch(); b++)
            for (long h = 0; h < s.heads(); h++)
                for (long i = 0; i < s.length(); i++) {
                    double max = Double.NEGATIVE_INFINITY;
                    for (long j = 0; j < s.keysOf(b); j++) max = Math.max(max, score(s, q, k, b, h, i, j));
                    double sum = 0;
                    for (long j = 0; j < s.keysOf(b); j++) sum += Math.exp(score(s, q, k, b, h, i, j) - max);
                    logsumexp.set((b * s.heads() + h) * s.length() + i, max + Math.log(sum));

                    long iy = head(s, s.length(), b, i, h);
                    for (long d = 0; d < s.width(); d++) y.set(iy + d, 0);
                    for (long j = 0; j < s.keysOf(b); j++) {
                        double p = Math.exp(score(s, q, k, b, h, i, j) - max) / sum;
                        for (long d = 0; d < s.width(); d++) y.add(iy + d, p * v.at(head(s, s.keys(), b, j, h) + d));
                    }
                }
    }

    static void attentionBackward(
            HostStorage dq,
            HostStorage dk,
            HostStorage dv,
            HostStorage dy,
            HostStorage y,
            HostStorage logsumexp,
            HostStorage q,
            HostStorage k,
            HostStorage v,
            AttentionSpec s) {
        zero(dq);
        zero(dk);
        zero(dv);
        for (long b = 0; b < s.batch(); b++)
            for (long h = 0; h < s.heads(); h++)
                for (long i = 0; i < s.length(); i++) {
                    long iq = head(s, s.length(), b, i, h);
                    double through = dot(dy, iq, y, iq, s.width());
                    for (long j = 0; j < s.keysOf(b); j++) {
                        long ik = head(s, s.keys(), b, j, h);
                        double p = Math.exp(score(s, q, k, b, h, i, j) - logsumexp.at((b * s.heads() + h) * s.length() + i));
                        double dscore = p * (dot(dy, iq, v, ik, s.width()) - through) * s.scale();
                        for (long d = 0; d < s.width(); d++) {
                            dv.add(ik + d, p * dy.at(iq + d));
                            dq.add(iq + d, dscore * k.at(ik + d));
                            dk.add(ik + d, dscore * q.at(iq + d));
                        }
                    }
                }
    }
}
