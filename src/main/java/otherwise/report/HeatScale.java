package otherwise.report;

/// Colours for amounts: black for nothing, through violet, red and orange to a light yellow for the most. It grows lighter all the way, so it
/// can be read in grey, on paper, and by people who tell few colours apart.
final class HeatScale {

    /// Colours at equal distances from 0 to 1, `0xRRGGBB`. The page interpolates between the same ones.
    static final int[] STOPS = {0x000000, 0x2a1458, 0x7d1d6d, 0xc8374f, 0xf2813a, 0xfbc65c, 0xfdf6d0};

    private HeatScale() {}

    /// The colour of `amount`, held inside 0 … 1, as `0xRRGGBB`.
    static int color(double amount) {
        double place = Math.clamp(amount, 0, 1) * (STOPS.length - 1);
        int below = Math.min((int) place, STOPS.length - 2);
        double share = place - below;
        int color = 0;
        for (int shift = 16; shift >= 0; shift -= 8) {
            int from = STOPS[below] >> shift & 255;
            int to = STOPS[below + 1] >> shift & 255;
            color = color << 8 | (int) Math.round(from + (to - from) * share);
        }
        return color;
    }
}
