package otherwise.io;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpClient.Redirect;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;

/// A file from the web, whole and right or not there at all.
///
/// What has come so far lies beside it in `<name>.part`, and what the server calls that state of the file in `<name>.part.etag`: after an
/// interruption the next call asks for the rest of the same state, and begins again if the server has another one by now or gives no parts.
/// The file appears by a rename once its size and its hash are right.
///
/// @param size in bytes; −1 if it is not known
/// @param sha256 in lower-case hexadecimal, whole or only the first digits; empty if it is not known
public record Download(URI from, Path to, long size, String sha256) {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Pattern RANGE = Pattern.compile("bytes (\\d+)-\\d+/(\\d+|\\*)");
    private static final int PIECE = 1 << 16;

    /// Is told how far a download has come: bytes so far, and bytes in all or −1.
    public interface Listener {
        void at(long bytes, long all);
    }

    /// What came of it.
    public enum Result {
        FETCHED, ALREADY_HERE
    }

    /// A response whose body is the file, from byte `start` on.
    private record Answer(InputStream body, long start, long all, String etag) {}

    /// Fetches what is still missing.
    ///
    /// @throws IOException in one line: no connection, an answer that is none, a file of another size or hash
    public Result fetch(Listener listener) throws IOException {
        return fetch(listener, PATIENCE);
    }

    /// As above; nothing for as long as `patience` means that the connection is lost.
    Result fetch(Listener listener, Duration patience) throws IOException {
        if (Files.exists(to)) {
            requireRight(to, "remove it and call again");
            return Result.ALREADY_HERE;
        }
        if (to.getParent() != null) Files.createDirectories(to.getParent());
        if (size < 0 || partSize() < size) receive(listener, patience);
        long came = partSize();
        if (size >= 0 && came != size) {
            clear();
            throw new IOException(from + ": is " + came + " bytes long, expected " + size + "; what came was removed");
        }
        try {
            requireRight(part(), "what came was removed");
        } catch (IOException e) {
            clear();
            throw e;
        }
        Files.move(part(), to, StandardCopyOption.ATOMIC_MOVE);
        Files.deleteIfExists(etagFile());
        return Result.FETCHED;
    }

    /// How many bytes of an unfinished download lie beside the file.
    public long partSize() throws IOException {
        return Files.exists(part()) ? Files.size(part()) : 0;
    }

    private Path part() {
        return to.resolveSibling(to.getFileName() + ".part");
    }

    private Path etagFile() {
        return to.resolveSibling(to.getFileName() + ".part.etag");
    }

    private void clear() throws IOException {
        Files.deleteIfExists(part());
        Files.deleteIfExists(etagFile());
    }

    private void requireRight(Path file, String remedy) throws IOException {
        if (size >= 0 && Files.size(file) != size) {
            throw new IOException(to + ": has " + Files.size(file) + " bytes, expected " + size + "; " + remedy);
        }
        if (sha256.isEmpty()) return;
        var found = Sha256.of(file);
        if (!found.startsWith(sha256)) {
            throw new IOException(to + ": its sha256 is " + found.substring(0, sha256.length()) + ", expected " + sha256 + "; " + remedy);
        }
    }

    // ---- the transfer --------------------------------------------------------------------------------------------------------------

    private void receive(Listener listener, Duration patience) throws IOException {
        try (var client = HttpClient.newBuilder().followRedirects(Redirect.NORMAL).connectTimeout(PATIENCE).build()) {
            var answer = ask(client);
            try (var body = answer.body) {
                requireSpace(answer);
                if (answer.start == 0) {
                    Files.deleteIfExists(part());
                    Files.writeString(etagFile(), answer.etag);
                }
                write(body, answer, listener, patience);
            } finally {
                // What the server still sends of a body that nobody wants must not be waited for.
                client.shutdownNow();
            }
        }
    }

    private void write(InputStream body, Answer answer, Listener listener, Duration patience) throws IOException {
        long at = answer.start;
        try (var stalls = new Stalls(body, patience);
                var file = FileChannel.open(part(), StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND)) {
            var piece = new byte[PIECE];
            listener.at(at, answer.all);
            for (int n = body.read(piece); n >= 0; n = body.read(piece)) {
                for (var bytes = ByteBuffer.wrap(piece, 0, n); bytes.hasRemaining();) file.write(bytes);
                at += n;
                stalls.reset();
                listener.at(at, answer.all);
            }
            file.force(true);
        } catch (IOException e) {
            throw new IOException(cut(at, answer.all) + " (" + reason(e) + "); the next call goes on from there", e);
        }
        if (answer.all >= 0 && at < answer.all) throw new IOException(cut(at, answer.all) + "; the next call goes on from there");
    }

    /// Closes a body of which nothing has come for too long: a read from it ends then, which it would not do by itself.
    private static final class Stalls implements AutoCloseable {
        private final AtomicLong last = new AtomicLong(System.nanoTime());
        private final Thread watch;

        Stalls(InputStream body, Duration patience) {
            watch = Thread.ofVirtual().start(() -> {
                try {
                    for (long left = patience.toNanos(); left > 0; left = patience.toNanos() - (System.nanoTime() - last.get())) {
                        Thread.sleep(Duration.ofNanos(left));
                    }
                    body.close();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt(); // all has come
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }

        void reset() {
            last.set(System.nanoTime());
        }

        @Override
        public void close() {
            watch.interrupt();
        }
    }

    private String cut(long at, long all) {
        return String.format(Locale.ROOT, "%s: the connection was lost after %,d%s bytes", from, at,
                all < 0 ? "" : String.format(Locale.ROOT, " of %,d", all));
    }

    /// Asks for the rest of what has come, or for everything.
    private Answer ask(HttpClient client) throws IOException {
        long have = partSize();
        var etag = have > 0 && Files.exists(etagFile()) ? Files.readString(etagFile()) : "";
        // Without a name for the state, only a hash could tell that two halves are of one file.
        if (have > 0 && !etag.isEmpty() || have > 0 && sha256.length() == 64) {
            var response = send(client, Optional.of(have), etag);
            var range = RANGE.matcher(response.headers().firstValue("Content-Range").orElse(""));
            if (response.statusCode() == 206 && range.matches() && Long.parseLong(range.group(1)) == have) {
                long all = range.group(2).equals("*") ? size : Long.parseLong(range.group(2));
                return checked(new Answer(response.body(), have, all, etag));
            }
            if (response.statusCode() == 200) return whole(response);
            response.body().close();
            if (response.statusCode() != 206 && response.statusCode() != 416) throw refused(response.statusCode());
        }
        var response = send(client, Optional.empty(), "");
        if (response.statusCode() == 200) return whole(response);
        response.body().close();
        throw refused(response.statusCode());
    }

    private Answer whole(HttpResponse<InputStream> response) throws IOException {
        long all = response.headers().firstValueAsLong("Content-Length").orElse(size);
        var etag = response.headers().firstValue("ETag").orElse("");
        // A weak one does not promise the same bytes.
        return checked(new Answer(response.body(), 0, all, etag.startsWith("W/") ? "" : etag));
    }

    private Answer checked(Answer answer) throws IOException {
        if (size < 0 || answer.all < 0 || answer.all == size) return answer;
        answer.body.close();
        throw new IOException(from + ": is " + answer.all + " bytes long, expected " + size);
    }

    private void requireSpace(Answer answer) throws IOException {
        if (answer.all < 0) return;
        long needed = answer.all - answer.start;
        long free = Files.getFileStore(to.toAbsolutePath().getParent()).getUsableSpace() + (answer.start == 0 ? partSize() : 0);
        if (needed > free) {
            throw new IOException(String.format(Locale.ROOT, "%s: needs %,d bytes, the disk has %,d free", to, needed, free));
        }
    }

    private IOException refused(int status) {
        var meaning = switch (status) {
            case 401, 403 -> " (access is refused)";
            case 404, 410 -> " (there is no such file)";
            case 429 -> " (too many requests; try again later)";
            default -> "";
        };
        return new IOException(from + ": the server answers " + status + meaning);
    }

    private HttpResponse<InputStream> send(HttpClient client, Optional<Long> start, String etag) throws IOException {
        var request = HttpRequest.newBuilder(from).timeout(PATIENCE);
        start.ifPresent(byteNumber -> request.header("Range", "bytes=" + byteNumber + "-"));
        if (start.isPresent() && !etag.isEmpty()) request.header("If-Range", etag);
        try {
            return client.send(request.build(), BodyHandlers.ofInputStream());
        } catch (IOException e) {
            throw new IOException(from + ": " + reason(e), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(from + ": interrupted", e);
        }
    }

    private static String reason(IOException e) {
        return switch (e) {
            case HttpConnectTimeoutException _ -> "no connection within " + PATIENCE.toSeconds() + " s";
            case ConnectException _ -> "no connection";
            case java.net.http.HttpTimeoutException _ -> "no answer within " + PATIENCE.toSeconds() + " s";
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    }
}
