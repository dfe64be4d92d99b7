package otherwise.tensor;

import java.util.List;

/// How a tensor was made: a record whose fields are what the forward pass saved for the way back.
///
/// The permits clause is the library's table of contents. Code outside this package joins by [Custom].
public sealed interface Op
        permits ActivatedLinear,
        Affine,
        Arithmetic,
        Attention,
        ChannelNorm,
        Concat,
        Conv3d,
        Expand,
        GatherRows,
        LayerNorm,
        Linear,
        LogSoftmax,
        Map,
        MatMul,
        ModulatedNorm,
        Op.Custom,
        Pad,
        Permute,
        Reshape,
        ResidualLinear,
        RmsNorm,
        RmsNormRope,
        Rope,
        Slice,
        Softmax,
        Sum,
        Upsample2x {

    /// The tensors that went in, and may need a gradient.
    List<Tensor> inputs();

    /// The tensors whose elements [#backward] reads, inputs or not. Of all others it knows the shape alone: their memory may go.
    List<Tensor> saved();

    /// Hands the gradient `dy` of the output on to the inputs.
    void backward(Tensor dy, Flow flow);

    /// An operation defined above this package, such as activation checkpointing. What it reads on the way back is not known.
    non-sealed interface Custom extends Op {

        /// @throws UnsupportedOperationException always
        @Override
        default List<Tensor> saved() {
            throw new UnsupportedOperationException(this + " reads what it does not list");
        }
    }
}
