package otherwise.backend;

/// The machine cannot: a device that is absent, or memory that does not suffice. The message says what is missing.
public final class DeviceException extends RuntimeException {
    public DeviceException(String message) {
        super(message);
    }

    public DeviceException(String message, Throwable cause) {
        super(message, cause);
    }
}
