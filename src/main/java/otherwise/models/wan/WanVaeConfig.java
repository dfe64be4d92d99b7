package otherwise.models.wan;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/// The sizes of the Wan video autoencoder, named as in the official code (wan/modules/vae.py, WanVAE_).
///
/// @param dim channels of the first level
/// @param zDim channels of the latent
/// @param dimMult channels of each level, as multiples of `dim`
/// @param numResBlocks residual blocks of a level of the encoder; the decoder has one more
/// @param attnScales levels, given by their scale (1, 0.5, …), with attention behind every residual block
/// @param temperalDownsample whether the way to the next level halves time as well as space; one a level but the last (the name is the
///     official one)
public record WanVaeConfig(
        int dim, int zDim, List<Integer> dimMult, int numResBlocks, List<Double> attnScales, List<Boolean> temperalDownsample) {

    /// @throws IllegalArgumentException if the sizes do not fit together
    public WanVaeConfig {
        if (dimMult.isEmpty() || temperalDownsample.size() < dimMult.size() - 1) {
            throw new IllegalArgumentException(
                    "dim_mult " + dimMult + " needs an entry fewer, not temperal_downsample " + temperalDownsample);
        }
        if (temperalDownsample.stream().filter(halves -> halves).count() > 2) {
            throw new IllegalArgumentException("temperal_downsample " + temperalDownsample + ": a piece of 4 frames halves at most twice");
        }
        dimMult = List.copyOf(dimMult);
        attnScales = List.copyOf(attnScales);
        temperalDownsample = List.copyOf(temperalDownsample);
    }

    /// Wan2.1's autoencoder: 4 frames of 8×8 pixels become 16 numbers.
    public static WanVaeConfig wan2_1() {
        return new WanVaeConfig(96, 16, List.of(1, 2, 4, 4), 2, List.of(), List.of(false, true, true));
    }

    /// From JSON with the official names.
    ///
    /// @throws IllegalArgumentException naming a missing or unfitting entry
    public static WanVaeConfig of(JsonNode json) {
        var mult = new ArrayList<Integer>();
        json.path("dim_mult").forEach(m -> mult.add(m.asInt()));
        var scales = new ArrayList<Double>();
        json.path("attn_scales").forEach(s -> scales.add(s.asDouble()));
        var halves = new ArrayList<Boolean>();
        json.path("temperal_downsample").forEach(h -> halves.add(h.asBoolean()));
        int dim = json.path("dim").asInt();
        int zDim = json.path("z_dim").asInt();
        int blocks = json.path("num_res_blocks").asInt();
        if (dim < 1 || zDim < 1 || blocks < 1) {
            throw new IllegalArgumentException("the autoencoder's configuration needs positive 'dim', 'z_dim' and 'num_res_blocks'");
        }
        return new WanVaeConfig(dim, zDim, mult, blocks, scales, halves);
    }

    /// The number of levels.
    int levels() {
        return dimMult.size();
    }

    /// Channels of a level.
    int channels(int level) {
        return dim * dimMult.get(level);
    }

    /// Whether a level has attention: level i works at the scale 2^−i.
    boolean attends(int level) {
        return attnScales.contains(Math.scalb(1.0, -level));
    }

    /// How many pixels of height or width make one of the latent.
    public int spatialStride() {
        return 1 << (levels() - 1);
    }

    /// How many frames make one latent frame; the first frame makes one alone.
    public int temporalStride() {
        return 1 << (int) temperalDownsample.subList(0, levels() - 1).stream().filter(halves -> halves).count();
    }
}
