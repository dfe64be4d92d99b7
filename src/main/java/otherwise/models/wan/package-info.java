/// Wan2.1 (Wan Team 2025, arXiv 2503.20314): a transformer that predicts the velocity of a noisy video in latent space, and the
/// autoencoder between that space and pixels. Named as the official checkpoints name them.
///
/// Read [WanBlock] first, then [WanTransformer], then [WanVae].
package otherwise.models.wan;
