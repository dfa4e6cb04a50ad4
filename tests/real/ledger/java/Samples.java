package org.landbridge.ledger;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.landbridge.ledger.Ledger.Audited;
import org.landbridge.ledger.Ledger.Entry;
import org.landbridge.ledger.Ledger.Gift;
import org.landbridge.ledger.Ledger.Kind;
import org.landbridge.ledger.Ledger.Node;
import org.landbridge.ledger.Ledger.Refund;
import org.landbridge.ledger.Ledger.Shapes;
import org.landbridge.ledger.Ledger.Tight;

/** Objects by the names of the cases that they are for. */
final class Samples {
    private static final Map<String, Consumer<Shapes>> SHAPES = new LinkedHashMap<>();

    private Samples() {
    }

    static {
        SHAPES.put("map-string", s -> { s.byName = new LinkedHashMap<>(); s.byName.put("b", 2); s.byName.put("a", -1); });
        SHAPES.put("map-integer", s -> { s.byInt = new HashMap<>(); s.byInt.put(-5, "minus"); s.byInt.put(70000, "much"); });
        SHAPES.put("map-long", s -> { s.byLong = new TreeMap<>(); s.byLong.put(1L, new Entry("one", 1, null)); s.byLong.put(1L << 40, new Entry("far", null, "0.10")); });
        SHAPES.put("map-enum", s -> { s.byKind = new EnumMap<>(Kind.class); s.byKind.put(Kind.CREDIT, 7); s.byKind.put(Kind.DEBIT, 0); });
        SHAPES.put("map-boolean", s -> { s.byFlag = new HashMap<>(); s.byFlag.put(true, "yes"); s.byFlag.put(false, ""); });
        SHAPES.put("map-decimal", s -> { s.byAmount = new HashMap<>(); s.byAmount.put(new BigDecimal("1.50"), "fare"); });
        SHAPES.put("map-object", s -> { s.byEntry = new HashMap<>(); s.byEntry.put(new Entry("k", 1, "2"), -9L); });
        SHAPES.put("set-string", s -> s.tags = new LinkedHashSet<>(Arrays.asList("x", "é")));
        SHAPES.put("set-sorted", s -> s.ids = new TreeSet<>(Arrays.asList(3L, -1L)));
        SHAPES.put("set-enum", s -> s.kinds = EnumSet.of(Kind.CREDIT));
        SHAPES.put("decimal", s -> { s.amount = new BigDecimal("-1.50E+3"); s.big = new BigInteger("-123456789012345678901234567890"); });
        SHAPES.put("decimal-zero", s -> { s.amount = new BigDecimal("0.00"); s.big = BigInteger.ZERO; });
        SHAPES.put("times", s -> {
            s.date = new Date(-1);
            s.instant = Instant.ofEpochSecond(-1, 5);
            s.day = LocalDate.of(2024, 2, 29);
            s.moment = LocalDateTime.of(2024, 2, 29, 23, 59, 58, 123456789);
            s.duration = Duration.ofMillis(-1500);
            s.zoned = ZonedDateTime.parse("2024-07-01T08:00+08:00[Asia/Shanghai]");
        });
        SHAPES.put("nested-lists", s -> s.nested = Arrays.asList(Arrays.asList(1L, 2L), new ArrayList<>(), Collections.singletonList(-3L)));
        SHAPES.put("list-of-maps", s -> s.tables = Arrays.asList(Collections.singletonMap("a", 1), new HashMap<>()));
        SHAPES.put("unmodifiable", s -> s.names = Collections.unmodifiableList(new ArrayList<>(Arrays.asList("a", ""))));
        SHAPES.put("holes", s -> s.holes = Arrays.asList(1, null, 0));
        SHAPES.put("boxed", s -> { s.whole = 0; s.large = Long.MIN_VALUE; s.flag = false; s.real = 0.1; s.text = ""; s.kind = Kind.DEBIT; });
        SHAPES.put("nulls", s -> { });
        SHAPES.put("base-class", s -> s.any = new Entry("plain", 3, "3.0"));
        SHAPES.put("subclass", s -> s.any = refund());
        SHAPES.put("inherited", s -> { s.audited = new Audited(); s.audited.by = "me"; s.audited.version = 8; s.audited.note = "n"; });
        SHAPES.put("shared", s -> { s.first = new Entry("both", 1, null); s.second = s.first; s.entries = Arrays.asList(s.first, s.first); });
        SHAPES.put("days", s -> { s.date = new Date(-1); s.day = LocalDate.of(2024, 2, 29); s.moment = LocalDateTime.of(2024, 2, 29, 23, 59, 58, 123456789); });
        SHAPES.put("sliced", s -> { s.first = new Gift(); s.first.code = "gift"; });
        SHAPES.put("gift-in-either", s -> { s.any = new Gift(); s.any.code = "gift"; });
        SHAPES.put("refund-as-entry", s -> s.first = refund());
        SHAPES.put("null-dropped", s -> s.dropped = Arrays.asList("a", null, "b"));
        SHAPES.put("null-zeroed", s -> s.zeroed = Arrays.asList("a", null));
        SHAPES.put("null-value-dropped", s -> { s.labels = new HashMap<>(); s.labels.put("a", null); s.labels.put("b", "c"); });
        SHAPES.put("null-element", s -> s.names = Arrays.asList("a", null));
        SHAPES.put("null-value", s -> { s.sealed = new HashMap<>(); s.sealed.put("a", null); });
        SHAPES.put("null-key", s -> { s.byName = new HashMap<>(); s.byName.put(null, 1); });
        SHAPES.put("map-enum-beyond", s -> s.byKind = new HashMap<>(Collections.singletonMap(Kind.LOST, 1)));
    }

    static Shapes shapes(String name) {
        Shapes shapes = new Shapes();
        SHAPES.get(name).accept(shapes);
        return shapes;
    }

    private static Refund refund() {
        Refund refund = new Refund();
        refund.code = "back";
        refund.reason = "broken";
        refund.at = 1L << 33;
        return refund;
    }

    /** A tight object that fits, then with what its name says. */
    static Tight tight(String name) {
        Tight t = new Tight();
        t.note = name;
        t.tiny = -128;
        t.positive = Integer.MAX_VALUE;
        t.whole = Integer.MIN_VALUE;
        t.large = Long.MAX_VALUE;
        t.amount = new BigDecimal("1E+2");
        t.kind = Kind.CREDIT;
        t.names = new ArrayList<>(Collections.singletonList("a"));
        t.at = new Date(5);
        switch (name) {
            case "negative": t.positive = -1; break;
            case "negative-long": t.large = -1; break;
            case "unknown-constant": t.kind = Kind.LOST; break;
            case "null-text": t.note = null; break;
            case "null-list": t.names = null; break;
            case "null-element": t.names.add(null); break;
            default: break;
        }
        return t;
    }

    /** A tree of two, and of whom the parent knows the child and the child its parent. */
    static Node tree(boolean cycle) {
        Node root = new Node(), child = new Node();
        root.name = "root";
        child.name = "child";
        child.children = new ArrayList<>();
        root.children = new ArrayList<>(List.of(child));
        if (cycle) child.parent = root;
        return root;
    }
}
