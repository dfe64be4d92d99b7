/// CLIP's image encoder (Radford et al. 2021), under the names of the Wan 2.1 checkpoint (wan/modules/clip.py).
package otherwise.models.clip;
