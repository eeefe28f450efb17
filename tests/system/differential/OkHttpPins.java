import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.util.Base64;
import java.util.Collections;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import okhttp3.CertificatePinner;
import okhttp3.ConnectionPool;
import okhttp3.ConnectionSpec;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;

/**
 * Connects with OkHttp as an app would, once for each line of standard input, and prints what came of it.
 *
 * <p>In: number, host, port, anchors (base64 DER, comma between), pins ("pattern=sha256/...", comma between).
 * Out: number, outcome (ok, pin_mismatch, refused, failed), detail. Fields are separated by tabs; lines come out in
 * the order in which the connections end.
 */
public final class OkHttpPins {
    private static final byte[] LOOPBACK = {127, 0, 0, 1};
    private static final OkHttpClient BASE = new OkHttpClient.Builder()
            .dns(name -> Collections.singletonList(InetAddress.getByAddress(name, LOOPBACK)))
            .connectionPool(new ConnectionPool(0, 1, TimeUnit.MILLISECONDS))
            .connectionSpecs(Collections.singletonList(ConnectionSpec.MODERN_TLS))
            .retryOnConnectionFailure(false)
            .build();

    public static void main(String[] arguments) throws IOException {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        ExecutorService workers = Executors.newFixedThreadPool(Integer.parseInt(arguments[0]));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] fields = line.split("\t", -1);
            workers.submit(() -> {
                String answer = fields[0] + "\t" + outcome(fields).replaceAll("[\r\n]+", " ");
                synchronized (out) {
                    out.println(answer);
                    out.flush();
                }
            });
        }
        workers.shutdown();
    }

    private static String outcome(String[] fields) {
        try {
            OkHttpClient client = client(fields[3], fields[4]);
            Request request = new Request.Builder().url("https://" + fields[1] + ":" + fields[2] + "/").build();
            try (Response response = client.newCall(request).execute()) {
                return "ok\t" + response.code();
            }
        } catch (SSLPeerUnverifiedException refusal) {
            boolean byPins = refusal.getMessage().startsWith("Certificate pinning failure!");
            return (byPins ? "pin_mismatch\t" : "refused\t") + refusal.getMessage();
        } catch (SSLException refusal) {
            return "refused\t" + refusal;
        } catch (Exception fault) {
            return "failed\t" + fault;
        }
    }

    private static OkHttpClient client(String anchors, String pins) throws Exception {
        X509TrustManager trust = trusting(anchors);
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(null, new TrustManager[] {trust}, null);
        CertificatePinner.Builder pinner = new CertificatePinner.Builder();
        for (String pin : pins.isEmpty() ? new String[0] : pins.split(",")) {
            int middle = pin.indexOf('=');
            pinner.add(pin.substring(0, middle), pin.substring(middle + 1));
        }
        return BASE.newBuilder()
                .sslSocketFactory(tls.getSocketFactory(), trust)
                .certificatePinner(pinner.build())
                .build();
    }

    private static X509TrustManager trusting(String anchors) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        int number = 0;
        for (String anchor : anchors.split(",")) {
            byte[] der = Base64.getDecoder().decode(anchor);
            try {
                Certificate certificate = factory.generateCertificate(new ByteArrayInputStream(der));
                store.setCertificateEntry("anchor" + number++, certificate);
            } catch (CertificateException unreadable) {
                // What the platform cannot read cannot be in its store.
                continue;
            }
        }
        if (number == 0) {
            throw new SSLException("no readable trust anchor");
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance("PKIX");
        managers.init(store);
        return (X509TrustManager) managers.getTrustManagers()[0];
    }
}
