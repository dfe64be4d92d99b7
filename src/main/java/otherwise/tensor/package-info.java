/// Tensors and every operation on them, forward and backward side by side.
///
/// Single letters are sizes and nothing else: `B` batch · `L` tokens · `S` keys or text tokens · `C` channels · `T H W` frames (`F` in latent
/// space), height, width · `N` heads · `D` head width · `M K N` in a matrix product · `R` rows.
package otherwise.tensor;
