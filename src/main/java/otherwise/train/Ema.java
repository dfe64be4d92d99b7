package otherwise.train;

import java.util.List;
import otherwise.tensor.Tensor;

/// An exponential moving average of parameters: what a generator is judged and shipped by.
///
///     average ← d·average + (1−d)·p        d = min(decay, (1 + step) / (10 + step))
public final class Ema {
    private final List<Tensor> parameters;
    private final List<Tensor> averages;
    private final double decay;

    /// Starts at the parameters as they are.
    public Ema(List<Tensor> parameters, double decay) {
        this.parameters = parameters;
        this.averages = parameters.stream().map(Tensor::copy).toList();
        this.decay = decay;
    }

    /// Takes the parameters in after step `step`. The average is quick at first, so that it forgets the start.
    public void update(long step) {
        double d = Math.min(decay, (1.0 + step) / (10.0 + step));
        for (int i = 0; i < averages.size(); i++) {
            var average = averages.get(i);
            average.backend().affine(average.data(), average.data(), d, 0);
            average.backend().axpy(average.data(), 1 - d, parameters.get(i).data());
        }
    }

    /// The averages, in the order of the parameters.
    public List<Tensor> averages() {
        return averages;
    }
}
