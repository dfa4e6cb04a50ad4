package oracle;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;

/** Random Java values of every kind that Dubbo methods carry, with shared objects and cycles. */
final class Generator {
    private final Random random;
    private final List<Object> made = new ArrayList<>();

    Generator(Random random) {
        this.random = random;
    }

    Object value() {
        return value(4);
    }

    private Object value(int depth) {
        if (depth > 0 && random.nextInt(100) < 45) return container(depth - 1);
        return scalar();
    }

    private Object container(int depth) {
        if (!made.isEmpty() && random.nextInt(6) == 0) return made.get(random.nextInt(made.size()));
        switch (random.nextInt(16)) {
            case 0: return keep(node(depth));
            case 1: return keep(leaf());
            case 2: return keep(fill(new LinkedList<>(), depth));
            case 3: return keep(strings(new HashSet<>()));
            case 4: return keep(strings(new LinkedHashSet<>()));
            case 5: return keep(strings(new TreeSet<>()));
            case 6: return keep(fill(new HashMap<>(), depth));
            case 7: return keep(fill(new LinkedHashMap<>(), depth));
            case 8: return keep(fill(new TreeMap<>(), depth));
            case 9: return keep(array(depth));
            case 10: return keep(special());
            case 11: return keep(thrown(depth));
            case 12: return Arrays.asList(text(), scalar());
            case 13: return Collections.unmodifiableList(new ArrayList<>(Arrays.asList(scalar(), scalar())));
            default: return fill(keep(new ArrayList<>()), depth);
        }
    }

    private <T> T keep(T value) {
        made.add(value);
        return value;
    }

    private Object node(int depth) {
        Node node = keep(new Node());
        node.a = value(depth);
        node.b = value(depth);
        node.name = random.nextBoolean() ? text() : null;
        return node;
    }

    private Object leaf() {
        Leaf leaf = new Leaf();
        leaf.i = integer();
        leaf.l = whole();
        leaf.d = real();
        leaf.z = random.nextBoolean();
        leaf.s = (short) random.nextInt();
        leaf.y = (byte) random.nextInt();
        leaf.c = (char) ('a' + random.nextInt(26));
        leaf.boxed = random.nextBoolean() ? integer() : null;
        leaf.boxedLong = random.nextBoolean() ? whole() : null;
        leaf.text = text();
        leaf.date = random.nextBoolean() ? date() : null;
        leaf.bytes = bytes();
        leaf.color = color();
        leaf.parent = text();
        return leaf;
    }

    private <T extends Collection<Object>> T fill(T list, int depth) {
        for (int n = random.nextInt(random.nextInt(10) == 0 ? 30 : 6); n > 0; n--) list.add(value(depth));
        return list;
    }

    private <T extends Collection<Object>> T strings(T set) {
        for (int n = random.nextInt(10); n > 0; n--) set.add("s" + random.nextInt(1000));
        return set;
    }

    private <T extends Map<Object, Object>> T fill(T map, int depth) {
        for (int n = random.nextInt(6); n > 0; n--) {
            Object key = map instanceof TreeMap || random.nextBoolean() ? "k" + random.nextInt(1000) : (Object) whole();
            map.put(key, value(depth));
        }
        return map;
    }

    private Object array(int depth) {
        int n = random.nextInt(12);
        switch (random.nextInt(11)) {
            case 0: return random.ints(n).toArray();
            case 1: return random.longs(n).toArray();
            case 2: { double[] a = new double[n]; for (int i = 0; i < n; i++) a[i] = real(); return a; }
            case 3: { String[] a = new String[n]; for (int i = 0; i < n; i++) a[i] = i % 4 == 3 ? null : text(); return a; }
            case 4: { Object[] a = new Object[n]; for (int i = 0; i < n; i++) a[i] = value(depth); return a; }
            case 5: { Integer[] a = new Integer[n]; for (int i = 0; i < n; i++) a[i] = integer(); return a; }
            case 6: { short[] a = new short[n]; for (int i = 0; i < n; i++) a[i] = (short) random.nextInt(); return a; }
            case 7: { boolean[] a = new boolean[n]; for (int i = 0; i < n; i++) a[i] = random.nextBoolean(); return a; }
            case 8: { float[] a = new float[n]; for (int i = 0; i < n; i++) a[i] = random.nextFloat(); return a; }
            case 9: { int[][] a = new int[n][]; for (int i = 0; i < n; i++) a[i] = random.ints(i).toArray(); return a; }
            default: { Node[] a = new Node[n % 3]; for (int i = 0; i < a.length; i++) a[i] = (Node) node(0); return a; }
        }
    }

    private Object special() {
        switch (random.nextInt(12)) {
            case 0: return BigDecimal.valueOf(random.nextLong(), random.nextInt(20) - 5);
            case 1: return new BigInteger(random.nextInt(200), random).negate();
            case 2: return new UUID(random.nextLong(), random.nextLong());
            case 3: return java.time.LocalDate.ofEpochDay(random.nextInt(40000));
            case 4: return java.time.LocalTime.ofNanoOfDay(random.nextInt(1_000_000_000));
            case 5: return java.time.LocalDateTime.ofEpochSecond(random.nextInt(), random.nextInt(1_000_000_000), java.time.ZoneOffset.UTC);
            case 6: return java.time.Instant.ofEpochSecond(random.nextInt(), random.nextInt(1_000_000_000));
            case 7: return java.time.Duration.ofSeconds(random.nextInt(), random.nextInt(1_000_000_000));
            case 8: return new java.sql.Timestamp(random.nextInt() * 1000L);
            case 9: return Locale.CHINA;
            case 10: return String.class;
            default: return new java.util.concurrent.atomic.AtomicLong(whole());
        }
    }

    private Object thrown(int depth) {
        Exception thrown = random.nextBoolean() ? new IllegalStateException(text()) : new RuntimeException(text(), new IllegalArgumentException(text()));
        if (random.nextBoolean()) thrown.setStackTrace(new StackTraceElement[0]);
        return thrown;
    }

    private Object scalar() {
        switch (random.nextInt(13)) {
            case 0: return null;
            case 1: return random.nextBoolean();
            case 2: return integer();
            case 3: return whole();
            case 4: return real();
            case 5: return random.nextFloat();
            case 6: return (short) random.nextInt();
            case 7: return (char) ('A' + random.nextInt(26));
            case 8: return date();
            case 9: return bytes();
            case 10: return color();
            default: return text();
        }
    }

    private Color color() {
        return Color.values()[random.nextInt(3)];
    }

    private int integer() {
        return random.nextInt() >> random.nextInt(32);
    }

    private long whole() {
        return random.nextLong() >> random.nextInt(64);
    }

    private double real() {
        switch (random.nextInt(5)) {
            case 0: return random.nextInt(70000) - 35000;
            case 1: return random.nextInt() * 0.001;
            case 2: return random.nextDouble();
            case 3: return Double.longBitsToDouble(random.nextLong() & 0x7fefffffffffffffL);
            default: return random.nextInt() / 100.0;
        }
    }

    private Date date() {
        return new Date(random.nextBoolean() ? random.nextInt() * 60_000L : random.nextLong() >> 20);
    }

    private byte[] bytes() {
        byte[] bytes = new byte[random.nextInt(random.nextInt(20) == 0 ? 20_000 : 30)];
        random.nextBytes(bytes);
        return bytes;
    }

    private String text() {
        StringBuilder text = new StringBuilder();
        int n = random.nextInt(random.nextInt(40) == 0 ? 70_000 : 40);
        int kind = random.nextInt(6);
        while (text.length() < n) {
            switch (kind) {
                case 0: text.append((char) random.nextInt(0x10000)); break;
                case 1: text.appendCodePoint(0x1F600 + random.nextInt(64)); break;
                case 2: text.append((char) (0x4e00 + random.nextInt(5000))); break;
                default: text.append((char) (' ' + random.nextInt(95)));
            }
        }
        return text.toString();
    }
}
