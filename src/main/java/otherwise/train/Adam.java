package otherwise.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import otherwise.tensor.Tensor;

/// Adam (Kingma & Ba 2015) with weight decay as an L2 penalty in the gradient: [AdamW] without its own decay, given g + decay · p.
public final class Adam implements Optimizer {
    private final AdamW adam;
    private final double decay;

    /// @param parameters by name; the names appear in [#state]
    public Adam(Map<String, Tensor> parameters, AdamW.Settings settings) {
        this.adam = new AdamW(parameters, settings.withDecay(0));
        this.decay = settings.decay();
    }

    @Override
    public List<Tensor> parameters() {
        return adam.parameters();
    }

    @Override
    public void step(List<Tensor> gradients, double learningRate) {
        adam.step(decay == 0 ? gradients : penalised(adam.parameters(), gradients, decay), learningRate);
    }

    /// g + decay · p, the gradient of a loss with decay/2 · ‖p‖² added.
    static List<Tensor> penalised(List<Tensor> parameters, List<Tensor> gradients, double decay) {
        var sums = new ArrayList<Tensor>();
        for (int i = 0; i < gradients.size(); i++) {
            sums.add(gradients.get(i).add(parameters.get(i).detach().times(decay)));
        }
        return sums;
    }

    @Override
    public long steps() {
        return adam.steps();
    }

    @Override
    public Map<String, Tensor> state() {
        return adam.state();
    }

    @Override
    public void restore(long steps, Map<String, Tensor> state) {
        adam.restore(steps, state);
    }
}
