package otherwise.support;

import otherwise.backend.Backend.Unary;

/// Softmax, normalisations and rotary embedding in plain loops; see [Reference].
final class ReferenceRows {
    private ReferenceRows() {}

    /// log Σ exp over one row
    private static double logSumExp(HostStorage x, long from, long c) {
        double max = Double.NEGATIVE_INFINITY;
        for (long j = 0; j < c; j++) max = Math.max(max, x.at(from + j));
        double sum = 0;
        for (long j = 0; j < c; j++) sum += Math.exp(x.at(from + j) - max);
        return max + Math.log(sum);
    }

    static void softmax(HostStorage y, HostStorage x, long rows, long c) {
        for (long r = 0; r < rows; r++) {
            double all = logSumExp(x, r * c, c);
            for (long j = r * c; j < (r + 1) * c; j++) y.set(j, Math.exp(x.at(j) - all));
        }
    }

    static void softmaxBackward(HostStorage dx, HostStorage dy, HostStorage y, long rows, long c) {
        for (long r = 0; r < rows; r++) {
            double dot = 0;
            for (long j = r * c; j < (r + 1) * c; j++) dot += dy.at(j) * y.at(j);
            for (long j = r * c; j < (r + 1) * c; j++) dx.set(j, y.at(j) * (dy.at(j) - dot));
        }
    }

    static void logSoftmax(HostStorage y, HostStorage x, long rows, long c) {
        for (long r = 0; r < rows; r++) {
            double all = logSumExp(x, r * c, c);
            for (long j = r * c; j < (r + 1) * c; j++) y.set(j, x.at(j) - all);
        }
    }

    static void logSoftmaxBackward(HostStorage dx, HostStorage dy, HostStorage y, long rows, long c) {
        for (long r = 0; r < rows; r++) {
            double sum = 0;
            for (long j = r * c; j < (r + 1) * c; j++) sum += dy.at(j);
            for (long j = r * c; j < (r + 1) * c; j++) dx.set(j, dy.at(j) - Math.exp(y.at(j)) * sum);
        }
    }

    static void layerNorm(
            HostStorage y,
            HostStorage mean,
            HostStorage rstd,
            HostStorage x,
            HostStorage w,
            HostStorage b,
            double eps,
            long rows,
            long c) {
        for (long r = 0; r < rows; r++) {
            double m = 0;
            for (long j = 0; j < c; j++) m += x.at(r * c + j) / c;
            double variance = 0;
            for (long j = 0; j < c; j++) variance += Math.pow(x.at(r * c + j) - m, 2) / c;
            mean.set(r, m);
            rstd.set(r, 1 / Math.sqrt(variance + eps));
            for (long j = 0; j < c; j++) {
                double v = (x.at(r * c + j) - m) * rstd.at(r);
                y.set(r * c + j, v * (w == null ? 1 : w.at(j)) + (b == null ? 0 : b.at(j)));
            }
        }
    }

    /// Without scale and shift it is a layer norm; they come after it, one of each for every sample.
    static void modulatedNorm(
            HostStorage y, HostStorage mean, HostStorage rstd, HostStorage x, HostStorage scale, HostStorage shift, double eps, long batch,
            long length, long c) {
        layerNorm(y, mean, rstd, x, null, null, eps, batch * length, c);
        for (long i = 0; i < y.size(); i++) {
            long column = i / (length * c) * c + i % c;
            y.set(i, y.at(i) * (1 + scale.at(column)) + shift.at(column));
        }
    }

    /// Sample by sample, a layer norm with weights 1 + scale: their gradients are those of the scale.
    static void modulatedNormBackward(
            HostStorage dx, HostStorage dscale, HostStorage dshift, HostStorage dy, HostStorage x, HostStorage mean, HostStorage rstd,
            HostStorage scale, long batch, long length, long c) {
        for (long b = 0; b < batch; b++) {
            var w = new HostStorage(scale.type(), c, _ -> {});
            for (long j = 0; j < c; j++) w.set(j, 1 + scale.at(b * c + j));
            normBackward(
                    part(dx, b, length * c), part(dscale, b, c), part(dshift, b, c), part(dy, b, length * c), part(x, b, length * c),
                    part(mean, b, length), part(rstd, b, length), w, length, c);
        }
    }

    static void gatedAdd(HostStorage y, HostStorage x, HostStorage gate, HostStorage h, long length, long c) {
        for (long i = 0; i < y.size(); i++) y.set(i, x.at(i) + gate.at(i / (length * c) * c + i % c) * h.at(i));
    }

    static void gatedAddBackward(
            HostStorage dh, HostStorage dgate, HostStorage dy, HostStorage gate, HostStorage h, long length, long c) {
        if (dgate != null) for (long j = 0; j < dgate.size(); j++) dgate.set(j, 0);
        for (long i = 0; i < dy.size(); i++) {
            long column = i / (length * c) * c + i % c;
            if (dh != null) dh.set(i, dy.at(i) * gate.at(column));
            if (dgate != null) dgate.add(column, dy.at(i) * h.at(i));
        }
    }

    /// Part `i` of `size` elements each.
    private static HostStorage part(HostStorage all, long i, long size) {
        return all == null ? null : (HostStorage) all.slice(i * size, size);
    }

    static void rmsNorm(HostStorage y, HostStorage rms, HostStorage x, HostStorage w, double eps, long rows, long c) {
        for (long r = 0; r < rows; r++) {
            double square = 0;
            for (long j = 0; j < c; j++) square += x.at(r * c + j) * x.at(r * c + j) / c;
            rms.set(r, 1 / Math.sqrt(square + eps));
            for (long j = 0; j < c; j++) y.set(r * c + j, x.at(r * c + j) * rms.at(r) * (w == null ? 1 : w.at(j)));
        }
    }

    /// Of both normalisations: y = x̂·w + b with x̂ = (x − mean)·s. The root-mean-square one has no mean.
    static void normBackward(
            HostStorage dx,
            HostStorage dw,
            HostStorage db,
            HostStorage dy,
            HostStorage x,
            HostStorage mean,
            HostStorage s,
            HostStorage w,
            long rows,
            long c) {
        for (long j = 0; j < c; j++) {
            if (dw != null) dw.set(j, 0);
            if (db != null) db.set(j, 0);
        }
        for (long r = 0; r < rows; r++) {
            var hat = new double[(int) c];
            var g = new double[(int) c];
            double meanG = 0;
            double meanGHat = 0;
            for (int j = 0; j < c; j++) {
                double d = dy.at(r * c + j);
                hat[j] = (x.at(r * c + j) - (mean == null ? 0 : mean.at(r))) * s.at(r);
                g[j] = d * (w == null ? 1 : w.at(j));
                if (mean != null) meanG += g[j] / c;
                meanGHat += g[j] * hat[j] / c;
                if (dw != null) dw.add(j, d * hat[j]);
                if (db != null) db.add(j, d);
            }
            if (dx != null) for (int j = 0; j < c; j++) dx.set(r * c + j, s.at(r) * (g[j] - meanG - hat[j] * meanGHat));
        }
    }

    static void channelNorm(HostStorage y, HostStorage r, HostStorage x, HostStorage gamma, boolean silu, long outer, long c, long inner) {
        for (long o = 0; o < outer; o++)
            for (long i = 0; i < inner; i++) {
                double square = 0;
                for (long k = 0; k < c; k++) square += Math.pow(x.at((o * c + k) * inner + i), 2);
                double s = Math.sqrt(c) / Math.max(Math.sqrt(square), 1e-12);
                r.set(o * inner + i, s);
                for (long k = 0; k < c; k++) {
                    double v = x.at((o * c + k) * inner + i) * s * gamma.at(k);
                    y.set((o * c + k) * inner + i, silu ? Reference.value(Unary.SILU, v) : v);
                }
            }
    }

    static void channelNormBackward(
            HostStorage dx,
            HostStorage dgamma,
            HostStorage dy,
            HostStorage x,
            HostStorage r,
            HostStorage gamma,
            boolean silu,
            long outer,
            long c,
            long inner) {
        if (dgamma != null) for (long k = 0; k < c; k++) dgamma.set(k, 0);
        for (long o = 0; o < outer; o++)
            for (long i = 0; i < inner; i++) {
                double s = r.at(o * inner + i);
                double square = 0;
                double dot = 0;
                var g = new double[(int) c];
                for (int k = 0; k < c; k++) {
                    long e = (o * c + k) * inner + i;
                    g[k] = dy.at(e) * (silu ? Reference.slope(Unary.SILU, x.at(e) * s * gamma.at(k)) : 1);
                    square += x.at(e) * x.at(e);
                    dot += gamma.at(k) * g[k] * x.at(e);
                    if (dgamma != null) dgamma.add(k, g[k] * x.at(e) * s);
                }
                boolean constant = Math.sqrt(square) < 1e-12;
                for (int k = 0; k < c && dx != null; k++) {
                    long e = (o * c + k) * inner + i;
                    dx.set(e, s * (gamma.at(k) * g[k] - (constant ? 0 : x.at(e) * dot / square)));
                }
            }
    }

    static void rope(
            HostStorage y,
            HostStorage x,
            HostStorage cos,
            HostStorage sin,
            long batch,
            long length,
            long heads,
            long width,
            boolean inverse) {
        for (long b = 0; b < batch; b++)
            for (long l = 0; l < length; l++)
                for (long h = 0; h < heads; h++)
                    for (long j = 0; j < width / 2; j++) {
                        long i = ((b * length + l) * heads + h) * width + 2 * j;
                        double c = cos.at(l * (width / 2) + j);
                        double s = sin.at(l * (width / 2) + j) * (inverse ? -1 : 1);
                        double x0 = x.at(i);
                        double x1 = x.at(i + 1);
                        y.set(i, x0 * c - x1 * s);
                        y.set(i + 1, x0 * s + x1 * c);
                    }
    }
}
