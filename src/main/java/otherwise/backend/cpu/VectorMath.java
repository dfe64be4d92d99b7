package otherwise.backend.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// Elementary functions of a whole vector at a time.
///
/// `VectorOperators.EXP` calls a library that exists on some platforms only and costs a call even there; a polynomial of our own is
/// inlined into the kernel, and gives the same bits everywhere.
final class VectorMath {
    /// The widest vector of this processor: all kernels use it.
    static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

    /// How many floats it holds.
    static final int LANES = SPECIES.length();

    // ln 2 in two parts: LN2_HIGH has 15 bits and n · LN2_HIGH is exact, so that the subtraction of n · ln 2 loses nothing.
    private static final float LOG2_E = 1.442695f;
    private static final float LN2_HIGH = 0.69314575f;
    private static final float LN2_LOW = 1.4286068e-6f;

    /// Added to a small float, it pushes the fraction out (rounding to nearest) and leaves `n + 126` in the lowest bits.
    private static final float ROUND = 12_582_912f + 126f;

    /// Above: more than a float can hold. Below: less than 2⁻¹²⁵, given back as 0.
    private static final float OVERFLOW = 88.72284f;

    private static final float UNDERFLOW = -86.643394f;

    // Turning the lanes by a half, a quarter, … of their number.
    private static final VectorShuffle<Float> BY_2 = VectorShuffle.iota(SPECIES, LANES / 2, 1, true);
    private static final VectorShuffle<Float> BY_4 = VectorShuffle.iota(SPECIES, LANES / 4, 1, true);
    private static final VectorShuffle<Float> BY_8 = VectorShuffle.iota(SPECIES, LANES / 8, 1, true);
    private static final VectorShuffle<Float> BY_16 = VectorShuffle.iota(SPECIES, LANES / 16, 1, true);

    private VectorMath() {}

    /// The sum of all lanes, by halving. `reduceLanes` promises no order, and its interpreted and compiled forms do differ in it.
    static float sum(FloatVector v) {
        var s = v;
        if (LANES >= 2) s = s.add(s.rearrange(BY_2));
        if (LANES >= 4) s = s.add(s.rearrange(BY_4));
        if (LANES >= 8) s = s.add(s.rearrange(BY_8));
        if (LANES >= 16) s = s.add(s.rearrange(BY_16));
        return s.lane(0);
    }

    /// e to the x, within 2 units in the last place; 0 below -86.6, infinity above 88.7, NaN for NaN.
    ///
    ///     x = n·ln 2 + r,  |r| ≤ ln 2 / 2        eˣ = 2·2ⁿ⁻¹ · (1 + r + r²·p(r))
    static FloatVector exp(FloatVector x) {
        var shifted = x.fma(FloatVector.broadcast(SPECIES, LOG2_E), FloatVector.broadcast(SPECIES, ROUND));
        var n = shifted.sub(ROUND);
        var r = n.fma(FloatVector.broadcast(SPECIES, -LN2_HIGH), x);
        r = n.fma(FloatVector.broadcast(SPECIES, -LN2_LOW), r);

        // p interpolated at Chebyshev points over |r| ≤ ln 2 / 2: relative error 8e-10, below half a unit in the last place.
        var p = FloatVector.broadcast(SPECIES, 1.9891080e-4f);
        p = p.fma(r, FloatVector.broadcast(SPECIES, 1.3933731e-3f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 8.3333105e-3f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 4.1666463e-2f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 1.6666667e-1f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 0.5f));
        p = p.fma(r.mul(r), r).add(1f);

        // n - 1 + 127 moves up into the exponent; the factor 2 that is missing keeps n = 128 within it.
        var power = shifted.viewAsIntegralLanes().lanewise(VectorOperators.LSHL, 23).viewAsFloatingLanes();
        var y = p.mul(2f).mul(power);
        y = y.blend(0f, x.lt(UNDERFLOW));
        return y.blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, OVERFLOW));
    }
}
