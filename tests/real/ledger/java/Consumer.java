package org.landbridge.ledger;

import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.landbridge.ledger.Ledger.Entry;
import org.landbridge.peers.core.Adapter;
import org.landbridge.peers.core.Cfg;
import org.landbridge.peers.core.ConsumerMain;

/**
 * Calls the ledger. lb.wants names a file of cases, one a line: name, tab, what the call is to give, in the words of Say, with
 * asterisks for what may be anything. A case is run by its name: "put NAME" and "narrow NAME" send the sample of that name.
 */
public final class Consumer {
    private final Adapter rpc;
    private final Ledger ledger;
    private final Ledger oneWay;
    private final Ledger oneWayNarrow;
    private final Map<String, Callable<Object>> calls = new HashMap<>();

    private Consumer(Adapter rpc) {
        this.rpc = rpc;
        ledger = rpc.refer(Ledger.class, opts());
        oneWay = oneWay("touch");
        oneWayNarrow = oneWay("narrow");
    }

    private Ledger oneWay(String method) {
        Adapter.Opts o = opts();
        o.oneway = method;
        return rpc.refer(Ledger.class, o);
    }

    private static Adapter.Opts opts() {
        Adapter.Opts o = new Adapter.Opts();
        o.url = Cfg.get("url", null);
        o.protocol = Cfg.get("protocol", "dubbo");
        o.timeout = 30000;
        o.retries = 0;
        o.check = false;
        return o;
    }

    public static void main(String[] args) throws IOException {
        Consumer consumer = new Consumer(ConsumerMain.adapter());
        consumer.name();
        int cases = 0, failed = 0;
        for (String line : Files.readAllLines(Paths.get(Cfg.get("wants", null)), StandardCharsets.UTF_8)) {
            String name = line.substring(0, line.indexOf('\t')), want = line.substring(name.length() + 1);
            String got = consumer.run(name);
            boolean ok = fits(got, want);
            System.out.println("case " + name.replace(' ', '-') + (ok ? " ok" : " FAIL want " + want + " got " + got));
            cases++;
            if (!ok) failed++;
        }
        System.out.println("suite ok cases=" + cases + " failed=" + failed);
        System.out.flush();
        Runtime.getRuntime().halt(failed == 0 ? 0 : 1); // Dubbo's shutdown hooks wait for seconds
    }

    private static boolean fits(String got, String want) {
        StringBuilder pattern = new StringBuilder();
        for (String part : want.split("\\*", -1)) pattern.append(pattern.length() == 0 ? "" : ".*").append(Pattern.quote(part));
        return got.matches(pattern.toString());
    }

    private String run(String name) {
        try {
            if (name.startsWith("put ")) return Say.touched(ledger.put(Samples.shapes(name.substring(4))));
            if (name.startsWith("generic-put ")) return Say.touched(genericPut(Samples.shapes(name.substring(12))));
            if (name.startsWith("narrow ")) return Say.of(ledger.narrow(Samples.tight(name.substring(7))));
            if (name.startsWith("charge ")) return Say.of(ledger.charge(name.substring(7), 100));
            return Say.of(calls.get(name).call());
        } catch (Throwable t) {
            return "threw " + Say.thrown(t).replace('\n', ' ');
        }
    }

    /** As a caller that has the interface's classes only before and after the call: Dubbo's own conversion to maps and back. */
    private Object genericPut(Ledger.Shapes shapes) throws Exception {
        String root = rpc.version().startsWith("2.6") ? "com.alibaba.dubbo" : "org.apache.dubbo";
        Class<?> pojo = Class.forName(root + ".common.utils.PojoUtils");
        Object generalised = pojo.getMethod("generalize", Object.class).invoke(null, shapes);
        Object result = generic("put", new String[] {Ledger.Shapes.class.getName()}, generalised);
        return pojo.getMethod("realize", Object.class, Class.class).invoke(null, result, Ledger.Shapes.class);
    }

    private Object generic(String method, String[] types, Object... values) throws Exception {
        Adapter.Opts o = opts();
        o.generic = "true";
        return new TreeMap<>((Map<?, ?>) rpc.generic(Ledger.class.getName(), o).invoke(method, types, values));
    }

    private void name() {
        calls.put("find-long", () -> ledger.find(7L));
        calls.put("find-string", () -> ledger.find("7"));
        calls.put("find-string-int", () -> ledger.find("7", -1));
        calls.put("find-null", () -> ledger.find("nobody"));
        calls.put("generic-long", () -> generic("find", new String[] {"long"}, 7L));
        calls.put("generic-string", () -> generic("find", new String[] {"java.lang.String"}, "7"));
        calls.put("generic-string-int", () -> generic("find", new String[] {"java.lang.String", "int"}, "7", 3));
        calls.put("generic-other-types", () -> generic("find", new String[] {"java.util.Date"}, "7"));
        calls.put("generic-no-types", () -> generic("find", null, "7"));
        calls.put("generic-object", () -> generic("walk", new String[] {"org.landbridge.ledger.Ledger$Node"}, generalised()));
        calls.put("generic-charge", () -> generic("charge", new String[] {"java.lang.String", "long"}, "poor", 100L));
        calls.put("book", () -> ledger.book("acc", new BigDecimal("2.50"), new Entry("e", null, "1"), new int[] {3, -3}, false));
        calls.put("book-nulls", () -> ledger.book(null, null, null, null, null));
        calls.put("touch", () -> { ledger.touch("a"); return null; });
        calls.put("touch-null", () -> { ledger.touch(null); return null; });
        calls.put("touch-one-way", () -> { oneWay.touch("one way"); return null; });
        calls.put("narrow-one-way", () -> oneWayNarrow.narrow(Samples.tight("negative")));
        calls.put("ping", () -> { ledger.ping(); return null; });
        calls.put("count", () -> ledger.count("a"));
        calls.put("count-null", () -> ledger.count(""));
        calls.put("walk", () -> ledger.walk(Samples.tree(false)));
        calls.put("walk-cycle", () -> ledger.walk(Samples.tree(true)));
        calls.put("shared-parts", () -> {
            Ledger.Shapes s = ledger.put(Samples.shapes("shared"));
            return s.first != s.second && s.first.equals(s.second);
        });
    }

    private static Map<String, Object> generalised() {
        Map<String, Object> node = new LinkedHashMap<>();
        node.put("class", "org.landbridge.ledger.Ledger$Node");
        node.put("name", "from a map");
        return node;
    }
}
