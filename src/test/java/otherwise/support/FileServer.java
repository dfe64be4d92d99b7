package otherwise.support;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/// A web server of this machine alone, with whatever faults a test asks for.
public final class FileServer implements AutoCloseable {
    private final HttpServer server;
    private final CountDownLatch released = new CountDownLatch(1);

    /// What it serves, by path; the path begins with `/`.
    public final Map<String, byte[]> files = new LinkedHashMap<>();
    /// The `Range` headers that came, `whole` where there was none.
    public final List<String> ranges = new ArrayList<>();
    /// What it calls the present state of its files; `null` if it says nothing.
    public String etag = "\"one\"";
    /// Whether it gives parts.
    public boolean parts = true;
    /// Whether it says how long a file is.
    public boolean length = true;
    /// Breaks the connection of the next request after so many bytes of the body.
    public int cutAfter = -1;
    /// Whether, instead of breaking it, it says no more.
    public boolean stalls;

    public FileServer() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::answer);
        server.start();
    }

    public URI uri(String path) {
        return URI.create("http://" + server.getAddress().getAddress().getHostAddress() + ":" + server.getAddress().getPort() + path);
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            var range = exchange.getRequestHeaders().getFirst("Range");
            var state = exchange.getRequestHeaders().getFirst("If-Range");
            ranges.add(range == null ? "whole" : range);
            var file = files.get(exchange.getRequestURI().getPath());
            if (file == null) {
                exchange.sendResponseHeaders(404, -1);
                return;
            }
            int from = 0;
            if (etag != null) exchange.getResponseHeaders().set("ETag", etag);
            if (range != null && parts && (state == null || state.equals(etag))) {
                from = Integer.parseInt(range.substring("bytes=".length(), range.length() - 1));
                if (from >= file.length) {
                    exchange.sendResponseHeaders(416, -1);
                    return;
                }
                exchange.getResponseHeaders().set("Content-Range", "bytes " + from + "-" + (file.length - 1) + "/" + file.length);
            }
            exchange.sendResponseHeaders(from > 0 ? 206 : 200, length ? file.length - from : 0);
            int to = cutAfter < 0 ? file.length : Math.min(file.length, from + cutAfter);
            cutAfter = -1;
            exchange.getResponseBody().write(Arrays.copyOfRange(file, from, to));
            exchange.getResponseBody().flush();
            if (stalls) released.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        released.countDown();
        server.stop(0);
    }
}
