package otherwise.backend.cuda;

import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.DeviceException;

/// On a Hopper GPU, where there is one: whether the emulation has read the manual right.
@EnabledIf("present")
class HopperOnDeviceTest extends HopperInstructions {

    HopperOnDeviceTest() {
        super(new JCudaDriver(0));
    }

    static boolean present() {
        try (var driver = new JCudaDriver(0)) {
            return driver.hopper();
        } catch (DeviceException e) {
            return false;
        }
    }
}
