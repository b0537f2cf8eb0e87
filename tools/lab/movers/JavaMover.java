// Java's two clients: `java JavaMover.java client|connection URL METHOD CONNECTIONS SECONDS THINK_MS`,
// for java.net.http.HttpClient and java.net.HttpURLConnection. A thread a connection; see tally.py.
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

public class JavaMover {
  record Answer(int status, byte[] body) {}

  interface Asker {
    Answer ask() throws Exception;
  }

  static final byte[] BODY = "x".repeat(200).getBytes();
  static final AtomicLong requests = new AtomicLong();
  static final AtomicLong errors = new AtomicLong();
  static final AtomicReference<String> firstError = new AtomicReference<>("");
  static final AtomicReference<byte[]> expected = new AtomicReference<>();

  static void fail(String what) {
    errors.incrementAndGet();
    firstError.compareAndSet("", what.replaceAll("[\"\\\\\\p{Cntrl}]", " "));
  }

  static void judge(Answer answer) {
    expected.compareAndSet(null, answer.body());
    if (answer.status() != 200) {
      fail("status " + answer.status());
    } else if (!Arrays.equals(answer.body(), expected.get())) {
      fail("an answer of " + answer.body().length + " other bytes");
    } else {
      requests.incrementAndGet();
    }
  }

  static Asker httpClient(URI uri, boolean post) {
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    HttpRequest request =
        HttpRequest.newBuilder(uri)
            .timeout(Duration.ofSeconds(5))
            .method(
                post ? "POST" : "GET",
                post
                    ? HttpRequest.BodyPublishers.ofByteArray(BODY)
                    : HttpRequest.BodyPublishers.noBody())
            .build();
    return () -> {
      var answer = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
      return new Answer(answer.statusCode(), answer.body());
    };
  }

  static Asker urlConnection(URI uri, boolean post) {
    return () -> {
      var connection = (HttpURLConnection) uri.toURL().openConnection();
      connection.setConnectTimeout(5000);
      connection.setReadTimeout(5000);
      if (post) {
        connection.setDoOutput(true);
        try (var out = connection.getOutputStream()) {
          out.write(BODY);
        }
      }
      int status = connection.getResponseCode();
      // Read to the end, errors too, or the connection is not kept.
      try (InputStream in =
          status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
        return new Answer(status, in == null ? new byte[0] : in.readAllBytes());
      }
    };
  }

  public static void main(String[] arguments) throws Exception {
    URI uri = URI.create(arguments[1]);
    boolean post = arguments[2].equals("POST");
    int connections = Integer.parseInt(arguments[3]);
    long thinkMs = Long.parseLong(arguments[5]);
    System.setProperty("http.maxConnections", arguments[3]);
    System.setProperty("sun.net.http.retryPost", "false"); // nobody asks a second time
    Asker asker = arguments[0].equals("client") ? httpClient(uri, post) : urlConnection(uri, post);
    long end = System.nanoTime() + (long) (Double.parseDouble(arguments[4]) * 1e9);

    Thread[] threads = new Thread[connections];
    for (int i = 0; i < connections; i++) {
      threads[i] =
          new Thread(
              () -> {
                while (System.nanoTime() < end) {
                  try {
                    judge(asker.ask());
                  } catch (Exception error) {
                    fail(error.toString());
                  }
                  try {
                    Thread.sleep(thinkMs);
                  } catch (InterruptedException error) {
                    return;
                  }
                }
              });
      threads[i].start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    System.out.printf(
        "{\"requests\": %d, \"errors\": %d, \"first_error\": \"%s\"}%n",
        requests.get(), errors.get(), firstError.get());
    System.exit(0);
  }
}
