package otherwise.cli.bench;

import otherwise.backend.Backend;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// An input of a benchmark, as every engine can take it.
public sealed interface Array {

    String name();

    long[] dims();

    /// Its elements, row-major.
    float[] values();

    /// The same on a device.
    Tensor on(Backend backend);

    /// Numbers that are there already.
    record Given(String name, float[] values, long... dims) implements Array {
        @Override
        public Tensor on(Backend backend) {
            return Tensor.of(backend, values, dims);
        }
    }

    /// Normal numbers of this standard deviation around `mean`; which ones depends on the name alone. Nothing is held: they are drawn when
    /// they are asked for, on a device by the device.
    record Normal(String name, double mean, double deviation, long... dims) implements Array {

        /// The same around another mean.
        Normal around(double mean) {
            return new Normal(name, mean, deviation, dims);
        }

        private Random random() {
            return Random.philox(1, name.hashCode());
        }

        @Override
        public float[] values() {
            long size = 1;
            for (long d : dims) size = Math.multiplyExact(size, d);
            float[] values = random().normal(Math.toIntExact(size));
            for (int i = 0; i < values.length; i++) values[i] = Math.fma(values[i], (float) deviation, (float) mean);
            return values;
        }

        /// Changed in place, so that a device that it fills has room for it.
        @Override
        public Tensor on(Backend backend) {
            var x = random().normal(backend, dims);
            backend.affine(x.data(), x.data(), deviation, mean);
            return x;
        }
    }

    static Normal normal(String name, double deviation, long... dims) {
        return new Normal(name, 0, deviation, dims);
    }
}
