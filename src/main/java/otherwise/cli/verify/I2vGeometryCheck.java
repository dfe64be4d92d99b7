package otherwise.cli.verify;

import java.util.List;
import otherwise.models.wan.I2vConditioning;

/// The sizes that the image-to-video driver chooses for an image: a table of image, area and frames, and what follows.
final class I2vGeometryCheck implements Check {
    private static final String COLUMNS = "image_h,image_w,max_area,frame_num,lat_f,lat_h,lat_w,video_h,video_w,max_seq_len";

    @Override
    public List<String> kinds() {
        return List.of("i2v_geometry");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        if (!golden.text("columns").equals(COLUMNS)) {
            throw new IllegalArgumentException(golden.path() + ": columns are " + golden.text("columns") + ", not " + COLUMNS);
        }
        var theirs = golden.values("out/table");
        var ours = theirs.clone();
        for (int row = 0; row < ours.length; row += 10) {
            var latent = I2vConditioning.fit((long) theirs[row], (long) theirs[row + 1], (long) theirs[row + 2]);
            long frames = I2vConditioning.latentFrames((long) theirs[row + 3]);
            ours[row + 4] = frames;
            ours[row + 5] = latent.height();
            ours[row + 6] = latent.width();
            ours[row + 7] = latent.pixels().height();
            ours[row + 8] = latent.pixels().width();
            ours[row + 9] = frames * (latent.height() / 2) * (latent.width() / 2);
        }
        // A size is right or wrong: beside areas of a million, a relative error would hide any.
        for (int i = 0; i < ours.length; i++) if (ours[i] != theirs[i]) ours[i] = Double.NaN;
        comparison.compare("out/table", ours, golden.shape("out/table").dims());
    }
}
