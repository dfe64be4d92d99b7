package otherwise.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.io.Download.Result;
import otherwise.support.FileServer;

/// Against a server of this machine: every way in which a download ends, and what the next call makes of it.
class DownloadTest {
    private static final int SIZE = 300_000;
    private static final int CUT = 120_000;

    private final byte[] content = new byte[SIZE];
    private FileServer server;

    @TempDir
    Path folder;

    @BeforeEach
    void start() throws IOException {
        new Random(1).nextBytes(content);
        server = new FileServer();
        server.files.put("/model.pth", content);
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private Path file() {
        return folder.resolve("deep/model.pth");
    }

    private Path part() {
        return folder.resolve("deep/model.pth.part");
    }

    private Download download() {
        return new Download(server.uri("/model.pth"), file(), SIZE, Sha256.of(content));
    }

    private Download unverified() {
        return new Download(server.uri("/model.pth"), file(), -1, "");
    }

    private static String failure(Download download) {
        var message = assertThrows(IOException.class, () -> download.fetch((bytes, all) -> {})).getMessage();
        assertEquals(1, message.lines().count(), message);
        return message;
    }

    /// Breaks the first attempt off; returns how much has come: a broken connection may lose what was under way.
    private long cut(Download download) throws IOException {
        server.cutAfter = CUT;
        var message = failure(download);
        assertTrue(message.contains("the connection was lost after") && message.contains("of 300,000 bytes"), message);
        assertTrue(message.contains("the next call goes on"), message);
        assertFalse(Files.exists(file()));
        var came = Files.readAllBytes(part());
        assertTrue(came.length > 0 && came.length <= CUT, came.length + " bytes");
        assertArrayEquals(Arrays.copyOf(content, came.length), came);
        return came.length;
    }

    private void assertWhole() throws IOException {
        assertArrayEquals(content, Files.readAllBytes(file()));
        try (var left = Files.list(file().getParent())) {
            assertEquals(List.of(file()), left.toList());
        }
    }

    @Test
    void aFileComesWholeAndOnce() throws IOException {
        var seen = new ArrayList<Long>();
        assertEquals(Result.FETCHED, download().fetch((bytes, all) -> {
            seen.add(bytes);
            assertEquals(SIZE, all);
        }));
        assertWhole();
        assertEquals(0L, seen.getFirst());
        assertEquals(SIZE, seen.getLast());
        assertEquals(Result.ALREADY_HERE, download().fetch((bytes, all) -> {}));
        assertEquals(List.of("whole"), server.ranges);
    }

    @Test
    void whatWasInterruptedGoesOn() throws IOException {
        long came = cut(download());
        var seen = new ArrayList<Long>();
        download().fetch((bytes, all) -> seen.add(bytes));
        assertWhole();
        assertEquals(came, seen.getFirst());
        assertEquals(List.of("whole", "bytes=" + came + "-"), server.ranges);
    }

    /// The connection stands, but nothing comes any more.
    @Test
    void silenceIsAnInterruptionToo() throws IOException {
        server.cutAfter = CUT;
        server.stalls = true;
        var e = assertThrows(IOException.class, () -> download().fetch((bytes, all) -> {}, Duration.ofMillis(500)));
        assertTrue(e.getMessage().contains("the connection was lost after 120,000 of 300,000 bytes"), e.getMessage());
        server.close();
        try (var again = new FileServer()) {
            again.files.put("/model.pth", content);
            new Download(again.uri("/model.pth"), file(), SIZE, Sha256.of(content)).fetch((bytes, all) -> {});
            assertWhole();
            assertEquals(List.of("bytes=" + CUT + "-"), again.ranges);
        }
    }

    /// Nothing is known of the file, so only the server's name for its state tells that both halves are of one.
    @Test
    void anUnknownFileGoesOnByItsTag() throws IOException {
        long came = cut(unverified());
        unverified().fetch((bytes, all) -> {});
        assertWhole();
        assertEquals(List.of("whole", "bytes=" + came + "-"), server.ranges);
    }

    @Test
    void anUnknownFileWithoutATagBeginsAgain() throws IOException {
        server.etag = null;
        cut(unverified());
        unverified().fetch((bytes, all) -> {});
        assertWhole();
        assertEquals(List.of("whole", "whole"), server.ranges);
    }

    @Test
    void aWeakTagPromisesNothing() throws IOException {
        server.etag = "W/\"one\"";
        cut(unverified());
        unverified().fetch((bytes, all) -> {});
        assertWhole();
        assertEquals(List.of("whole", "whole"), server.ranges);
    }

    @Test
    void anotherStateOfTheFileBeginsAgain() throws IOException {
        cut(unverified());
        new Random(2).nextBytes(content);
        server.etag = "\"two\"";
        unverified().fetch((bytes, all) -> {});
        assertWhole();
    }

    @Test
    void aServerWithoutPartsBeginsAgain() throws IOException {
        cut(download());
        server.parts = false;
        download().fetch((bytes, all) -> {});
        assertWhole();
    }

    /// Interrupted between the last byte and the rename.
    @Test
    void allThatWasMissingIsTheRename() throws IOException {
        Files.createDirectories(file().getParent());
        Files.write(part(), content);
        download().fetch((bytes, all) -> {});
        assertWhole();
        assertEquals(List.of(), server.ranges);

        Files.delete(file());
        Files.write(part(), content);
        Files.writeString(folder.resolve("deep/model.pth.part.etag"), "\"one\"");
        unverified().fetch((bytes, all) -> {});
        assertWhole();
        assertEquals(List.of("bytes=" + SIZE + "-", "whole"), server.ranges);
    }

    @Test
    void aServerThatDoesNotSayHowLongTheFileIs() throws IOException {
        server.length = false;
        download().fetch((bytes, all) -> {});
        assertWhole();
    }

    @Test
    void aWrongHashLeavesNothing() throws IOException {
        var wrong = new Download(server.uri("/model.pth"), file(), SIZE, "00000000");
        var message = failure(wrong);
        assertTrue(message.matches(".*model.pth: its sha256 is [0-9a-f]{8}, expected 00000000; what came was removed"), message);
        try (var left = Files.list(file().getParent())) {
            assertEquals(0, left.count());
        }
    }

    @Test
    void theFirstDigitsOfAHashAreEnough() throws IOException {
        new Download(server.uri("/model.pth"), file(), -1, Sha256.of(content).substring(0, 8)).fetch((bytes, all) -> {});
        assertWhole();
    }

    @Test
    void aWrongFileThatIsHereIsNotTakenForTheRightOne() throws IOException {
        Files.createDirectories(file().getParent());
        Files.write(file(), new byte[SIZE]);
        assertTrue(failure(download()).endsWith("; remove it and call again"));
        assertTrue(Files.exists(file()));
    }

    @Test
    void anotherSizeIsToldBeforeAnythingComes() {
        var wrong = new Download(server.uri("/model.pth"), file(), SIZE + 1, "");
        assertTrue(failure(wrong).endsWith("is 300000 bytes long, expected 300001"));
        assertFalse(Files.exists(part()));
    }

    @Test
    void noFileAndNoServer() {
        var absent = new Download(server.uri("/absent.pth"), file(), -1, "");
        assertTrue(failure(absent).endsWith("/absent.pth: the server answers 404 (there is no such file)"));
        var gone = server.uri("/model.pth");
        server.close();
        assertTrue(failure(new Download(gone, file(), SIZE, "")).contains("/model.pth: no connection"));
        assertTrue(failure(new Download(URI.create("http://no-such-host.invalid/x"), file(), -1, "")).contains("no connection"));
    }
}
