package otherwise.nn;

import otherwise.tensor.Tensor;

/// Scales the channel vector at every pixel of `[B, C, …]` to length √C, then · gamma, which holds C elements in the checkpoint's shape.
public record ChannelNorm(Tensor gamma) {

    /// @param dims the checkpoint's shape of gamma: C and then ones, as many as there are axes behind the channels
    public static ChannelNorm load(Weights w, long... dims) {
        return new ChannelNorm(w.tensor("gamma", dims));
    }

    public Tensor forward(Tensor x) {
        return x.channelNorm(gamma.reshape(gamma.size()));
    }

    /// With SiLU behind it, in one pass.
    public Tensor thenSilu(Tensor x) {
        return x.channelNormSilu(gamma.reshape(gamma.size()));
    }
}
