import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.PrivilegedExceptionAction;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.api.records.ApplicationSubmissionContext;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;
import org.apache.hadoop.yarn.api.records.FinalApplicationStatus;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.client.api.AMRMClient;
import org.apache.hadoop.yarn.client.api.YarnClient;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.exceptions.ApplicationAttemptNotFoundException;
import org.apache.hadoop.yarn.security.AMRMTokenIdentifier;
import org.apache.hadoop.yarn.util.Records;

/**
 * Applications whose masters all live in this one JVM: they take no container, register an address
 * that somebody else serves, and say that they are alive until they are told otherwise.
 *
 * <p>GET /start?name=…&address=host:port[&queue=…][&user=…][&tags=…][&type=…] answers with the id,
 * GET /end?id=…&status=FAILED&diagnostics=… ends one in order, GET /silence?id=… stops its heartbeat.
 */
public final class UnmanagedApps {
    private static final YarnConfiguration CONF = new YarnConfiguration();
    private static final Map<String, Master> MASTERS = new ConcurrentHashMap<>();

    private UnmanagedApps() {}

    public static void main(String[] args) throws Exception {
        InetSocketAddress address =
                new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[0]));
        HttpServer server = HttpServer.create(address, 0);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.createContext("/", UnmanagedApps::answer);
        server.start();
    }

    private static void answer(HttpExchange exchange) throws java.io.IOException {
        int status = 200;
        String text;
        try {
            text = obey(exchange.getRequestURI().getPath(), query(exchange.getRequestURI().getRawQuery()));
        } catch (Exception | LinkageError e) {
            e.printStackTrace();
            status = 500;
            text = e.toString();
        }
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    private static Map<String, String> query(String raw) {
        Map<String, String> pairs = new HashMap<>();
        for (String pair : (raw == null ? "" : raw).split("&")) {
            int at = pair.indexOf('=');
            if (at > 0) {
                String value = URLDecoder.decode(pair.substring(at + 1), StandardCharsets.UTF_8);
                pairs.put(pair.substring(0, at), value);
            }
        }
        return pairs;
    }

    private static String obey(String path, Map<String, String> query) throws Exception {
        switch (path) {
            case "/up":
                return "up";
            case "/start":
                return start(query);
            case "/end":
                Master ending = master(query);
                ending.end = query;
                ending.thread.join(60_000);
                return ending.thread.isAlive() ? "ending" : "ended";
            case "/silence":
                master(query).silent = true;
                return "silent";
            default:
                throw new IllegalArgumentException("no such path: " + path);
        }
    }

    private static Master master(Map<String, String> query) {
        Master master = MASTERS.get(query.get("id"));
        if (master == null) {
            throw new IllegalArgumentException("no such application: " + query.get("id"));
        }
        return master;
    }

    private static String start(Map<String, String> query) throws Exception {
        String user = query.getOrDefault("user", "flink");
        UserGroupInformation owner = UserGroupInformation.createRemoteUser(user);
        Master master = owner.doAs((PrivilegedExceptionAction<Master>) () -> submit(user, query));
        MASTERS.put(master.id.toString(), master);
        master.thread.start();
        return master.id.toString();
    }

    private static Master submit(String user, Map<String, String> query) throws Exception {
        YarnClient yarn = YarnClient.createYarnClient();
        yarn.init(CONF);
        yarn.start();
        try {
            ApplicationSubmissionContext context =
                    yarn.createApplication().getApplicationSubmissionContext();
            context.setApplicationName(query.get("name"));
            context.setApplicationType(query.getOrDefault("type", "Apache Flink"));
            context.setQueue(query.getOrDefault("queue", "default"));
            if (query.containsKey("tags")) {
                context.setApplicationTags(Collections.singleton(query.get("tags")));
            }
            context.setUnmanagedAM(true);
            context.setMaxAppAttempts(1);
            context.setResource(Resource.newInstance(128, 1));
            context.setAMContainerSpec(Records.newRecord(ContainerLaunchContext.class));
            yarn.submitApplication(context);
            ApplicationId id = context.getApplicationId();
            Token<AMRMTokenIdentifier> token = yarn.getAMRMToken(id);
            for (int look = 0; token == null && look < 600; look++) {
                Thread.sleep(100);
                token = yarn.getAMRMToken(id);
            }
            if (token == null) {
                throw new IllegalStateException(id + " got no token");
            }
            UserGroupInformation own = UserGroupInformation.createRemoteUser(user);
            own.addToken(token);
            String address = query.get("address");
            int colon = address.lastIndexOf(':');
            AMRMClient<AMRMClient.ContainerRequest> client =
                    own.doAs(
                            (PrivilegedExceptionAction<AMRMClient<AMRMClient.ContainerRequest>>)
                                    () -> {
                                        AMRMClient<AMRMClient.ContainerRequest> made =
                                                AMRMClient.createAMRMClient();
                                        made.init(CONF);
                                        made.start();
                                        made.registerApplicationMaster(
                                                address.substring(0, colon),
                                                Integer.parseInt(address.substring(colon + 1)),
                                                "http://" + address);
                                        return made;
                                    });
            return new Master(id, own, client);
        } finally {
            yarn.stop();
        }
    }

    private static final class Master implements Runnable {
        private final ApplicationId id;
        private final UserGroupInformation own;
        private final AMRMClient<AMRMClient.ContainerRequest> client;
        private final Thread thread = new Thread(null, this, "master", 256 << 10);
        private volatile Map<String, String> end;
        private volatile boolean silent;

        private Master(
                ApplicationId id,
                UserGroupInformation own,
                AMRMClient<AMRMClient.ContainerRequest> client) {
            this.id = id;
            this.own = own;
            this.client = client;
            thread.setDaemon(true);
        }

        @Override
        public void run() {
            boolean over = false;
            while (!over) {
                try {
                    over = own.doAs((PrivilegedExceptionAction<Boolean>) this::once);
                    Thread.sleep(300);
                } catch (InterruptedException e) {
                    return;
                } catch (Exception e) {
                    over = isGone(e);
                    System.err.println(id + ": " + e);
                }
            }
            MASTERS.remove(id.toString());
            client.stop();
        }

        private boolean once() throws Exception {
            Map<String, String> order = end;
            if (order != null) {
                client.unregisterApplicationMaster(
                        FinalApplicationStatus.valueOf(order.getOrDefault("status", "SUCCEEDED")),
                        order.getOrDefault("diagnostics", ""),
                        "");
                return true;
            }
            if (!silent) {
                client.allocate(1.0f);
            }
            return false;
        }

        /** Killed, or given up: nobody wants to hear of it any more. */
        private static boolean isGone(Throwable error) {
            for (Throwable at = error; at != null; at = at.getCause()) {
                if (at instanceof ApplicationAttemptNotFoundException) {
                    return true;
                }
            }
            return false;
        }
    }
}
