package otherwise.support;

import otherwise.backend.ConvSpec;
import otherwise.backend.MatmulSpec;

/// Matrix product and convolution in plain loops; see [Reference].
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
}
