/// Video Swin Transformer (Liu et al. 2022, arXiv 2106.13230), under torchvision's names.
package otherwise.models.swin;
