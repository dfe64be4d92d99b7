package otherwise.train;

/// A linear warm-up from 0 to `peak`, then half a cosine down to `floor` at the last step.
public record LearningRate(double peak, double floor, long warmup, long steps) {

    /// The rate of step 0, 1, …, steps-1.
    public double at(long step) {
        if (step < warmup) return peak * (step + 1) / warmup;
        double progress = Math.min(1, (step - warmup) / (double) Math.max(1, steps - warmup));
        return floor + (peak - floor) * 0.5 * (1 + Math.cos(Math.PI * progress));
    }
}
