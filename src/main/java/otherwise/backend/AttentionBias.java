package otherwise.backend;

/// What is added to the scores of [Backend#attention] before the softmax. No number is larger than 10³⁰, so that all sums are finite: what is to
/// hide a key need not be infinite.
///
/// @param bias `[heads, length, keys]`, for every batch entry the same, or `null`
/// @param mask `[masks, length, keys]`, for every head the same, or `null`: batch entry b has mask b modulo `masks`
/// @param masks how many there are, at least 1 where there is a mask
public record AttentionBias(Storage bias, Storage mask, long masks) {}
