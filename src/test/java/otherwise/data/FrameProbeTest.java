package otherwise.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class FrameProbeTest {

    @Test
    void frameZeroRevealsNothingAndTheLastOneSomething() {
        var curve = FrameProbe.curve(new ShapeMoving(Preset.mini()), 1, 2000, 1000);
        assertEquals(9, curve.size());
        assertEquals(0, curve.getFirst().frame());
        assertEquals(16, curve.getLast().frame());
        assertTrue(curve.getFirst().position() <= 0.30, "frame 0: " + curve.getFirst());
        assertTrue(curve.getFirst().pixels() <= 0.30, "frame 0: " + curve.getFirst());
        // The probe would be worthless if it never found anything.
        assertTrue(curve.getLast().position() >= 0.6, "frame 16: " + curve.getLast());
    }

    @Test
    void tooFewClipsAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> FrameProbe.curve(new ShapeMoving(Preset.mini()), 1, 50, 1000));
    }
}
