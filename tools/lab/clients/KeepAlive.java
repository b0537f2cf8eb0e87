// HTTP by java.net.http.HttpClient as it comes, which prefers HTTP/2: it offers an upgrade to h2c in
// the clear, and h2 in TLS. 400 requests, GET and POST in turn, 8 at once.
//
// usage: java KeepAlive.java URL [CA]
import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.ArrayList;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

class KeepAlive {
  static final int REQUESTS = 400;
  static final int AT_ONCE = 8;

  static SSLContext trusting(String ca) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (FileInputStream in = new FileInputStream(ca)) {
      store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }

  public static void main(String[] arguments) throws Exception {
    HttpClient.Builder builder = HttpClient.newBuilder();
    if (arguments.length > 1) builder.sslContext(trusting(arguments[1]));
    HttpClient client = builder.build();
    URI uri = URI.create(arguments[0]);
    HttpRequest get = HttpRequest.newBuilder(uri).build();
    HttpRequest post = HttpRequest.newBuilder(uri)
        .POST(HttpRequest.BodyPublishers.ofString("x".repeat(1000)))
        .build();

    var pool = Executors.newFixedThreadPool(AT_ONCE);
    var asked = new ArrayList<Future<Integer>>();
    for (int number = 0; number < REQUESTS; number++) {
      HttpRequest request = number % 2 == 1 ? post : get;
      asked.add(pool.submit(() -> client.send(request, BodyHandlers.discarding()).statusCode()));
    }
    for (Future<Integer> status : asked) {
      if (status.get() != 200) throw new IllegalStateException("status " + status.get());
    }
    pool.shutdown();
  }
}
