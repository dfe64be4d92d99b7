package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.function.Executable;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;

/// The same emulated, and the wrong uses that a device answers with a wrong result, or never.
@EnabledIf("otherwise.support.Emulated#present")
class HopperTest extends HopperInstructions {

    HopperTest() {
        super(new EmulatedDriver(1, true));
    }

    /// Of two groups, the first is done when one may still be under way, and the second is not.
    @Test
    void aGroupThatIsNotWaitedFor() {
        groups(1, 0);
    }

    /// Who says too early that a stage may be overwritten, and waits for its product then, is found out.
    @Test
    void boxesOverProductsUnderWay() {
        saysOf(() -> rounds(1), "over what a product under way reads");
    }

    @Test
    void productsOfWhatNoDeviceSees() {
        var y = fresh(DType.F32, 64 * 256);
        says("product_of_written", new Arguments().with(y).with(0).with(0), "with no fence since then");
        says("product_of_written", new Arguments().with(y).with(1).with(128), "do not begin where the swizzle does");
        says("product_of_written", new Arguments().with(y).with(1).with(112), "beyond its rows of 128 bytes");
    }

    @Test
    void productsOfRegistersThatChange() {
        var a = numbers(64 * 64);
        for (int n : new int[] {64, 128}) {
            var b = numbers(64 * n);
            saysOf(() -> product("product_of_registers_" + n, a, b, 2), "without a fence");
            saysOf(() -> product("product_of_registers_" + n, a, b, 7), "changes registers");
        }
    }

    private void says(String kernel, Arguments arguments, String what) {
        saysOf(() -> kernels.launch(FILE, kernel, Grid.of(1, 128).shared(SHARED), arguments), what);
    }

    private void saysOfProduct(int wrong, String what) {
        var a = numbers(64 * 64);
        var b = numbers(64 * 256);
        saysOf(() -> product("product_both_lines", a, b, true, true, wrong), what);
    }

    private static void saysOf(Executable launch, String what) {
        var message = assertThrows(DeviceException.class, launch).getMessage();
        assertTrue(message.contains(what), message);
    }

    @Test
    void productsThatNoDeviceLetsPass() {
        saysOfProduct(1, "still under way");
        saysOfProduct(2, "without a fence");
        saysOfProduct(5, "still under way");
        saysOfProduct(6, "divergence");
        var a = numbers(64 * 64);
        var b = numbers(64 * 256);
        for (int wrong = 3; wrong <= 4; wrong++) {
            var got = product("product_along_terms", a, b, false, false, wrong);
            assertTrue(Arrays.mismatch(twice(a, b), got) >= 0, "the mistake " + wrong + " does not show");
        }
    }

    @Test
    void barriersAndBoxesThatNoDeviceLetsPass() {
        var map = map(rounded(numbers(64 * 64)), 64, 64, 1, 64);
        var found = List.of("more often than it expects", "nobody is left who would complete its phase", "where none was made",
                "writes 8 bytes at byte", "reads 8 bytes at byte", "not aligned to 128 bytes", "what is no tensor map",
                "a fence is missing",
                "still under way", "nobody is left who would complete its phase", "by other coordinates than its tensor map has");
        for (int wrong = 0; wrong < found.size(); wrong++)
            says("wrong", new Arguments().with(fresh(DType.I64, 1)).with(map).with(wrong), found.get(wrong));
    }

    @Test
    void clustersThatNoDeviceLetsPass() {
        saysOf(() -> meet(3, 0), "a row of 3 blocks cannot be shared out among clusters of 2");
        saysOf(() -> meet(4, 1), "but thread (5, 0, 0) of block (1, 0, 0) waits at line");
        var found = List.of("a fence for barriers", "where none was made", "a block of its cluster that has ended", "never written",
                "nobody is left who would complete its phase", "a block that its cluster does not have", "never written", "never written");
        for (int wrong = 1; wrong <= 2; wrong++) {
            int what = wrong;
            saysOf(() -> arrivals(2, what), found.get(wrong - 1));
        }
        for (int wrong = 1; wrong <= found.size(); wrong++) {
            int what = wrong;
            saysOf(() -> inPairs(what), found.get(wrong - 1));
        }
    }
}
