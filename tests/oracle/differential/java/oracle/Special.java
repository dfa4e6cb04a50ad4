package oracle;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Calendar;
import java.util.Collections;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;
import java.util.concurrent.TimeUnit;

/** One value of every class that hessian-lite writes in a form of its own, and of every collection of the JDK. */
final class Special {
    static final class Sub extends ArrayList<Object> {
        int lost = 7;
    }

    static class Parent implements java.io.Serializable {
        String name = "parent";
        int x = 1;
    }

    static final class Child extends Parent {
        String name = "child";
        int y = 2;
    }

    enum Planet {
        EARTH {
            @Override
            double mass() {
                return 5.97e24;
            }
        };

        abstract double mass();
    }

    record Point(int x, String label) implements java.io.Serializable {}

    static final class Business extends Exception {
        final int code = 42;
        final List<String> details = new ArrayList<>(List.of("a", "b"));

        Business(String message, Throwable cause) {
            super(message, cause);
        }
    }

    static Map<String, Object> all() throws Exception {
        Map<String, Object> all = new LinkedHashMap<>();
        numbers(all);
        times(all);
        names(all);
        lists(all);
        maps(all);
        thrown(all);
        return all;
    }

    private static void numbers(Map<String, Object> all) {
        all.put("byte", (byte) -7);
        all.put("short", (short) 300);
        all.put("char", 'é');
        all.put("char-surrogate", '\ud83d');
        all.put("float", 0.1f);
        all.put("double-minus-zero", -0.0);
        all.put("double-min", Double.MIN_VALUE);
        all.put("double-nan", Double.NaN);
        all.put("BigDecimal", new BigDecimal("12.30"));
        all.put("BigDecimal-exponent", new BigDecimal("1E+400"));
        all.put("BigDecimal-zero", new BigDecimal("0.000"));
        all.put("BigInteger", new BigInteger("123456789012345678901234567890"));
        all.put("BigInteger-zero", BigInteger.ZERO);
        all.put("BigInteger-negative", BigInteger.valueOf(-255));
        BigInteger asked = new BigInteger("340282366920938463463374607431768211456");
        asked.bitLength();
        asked.bitCount();
        asked.getLowestSetBit();
        all.put("BigInteger-asked", asked);
        BigInteger one = new BigInteger("99999999999999999999");
        all.put("BigInteger-shared-words", Arrays.asList(one, one.negate(), one));
        all.put("AtomicInteger", new java.util.concurrent.atomic.AtomicInteger(7));
        all.put("AtomicLong", new java.util.concurrent.atomic.AtomicLong(7));
        all.put("AtomicBoolean", new java.util.concurrent.atomic.AtomicBoolean(true));
        all.put("AtomicReference", new java.util.concurrent.atomic.AtomicReference<>("x"));
        java.util.concurrent.atomic.LongAdder adder = new java.util.concurrent.atomic.LongAdder();
        adder.add(9);
        all.put("LongAdder", adder);
        all.put("char[]", "a中😀".toCharArray());
        all.put("byte[]", new byte[] {1, -1});
        all.put("Byte[]", new Byte[] {1, -1});
        all.put("float[]", new float[] {0.1f, Float.NaN});
        all.put("long[][]", new long[][] {{1}, null, {}});
    }

    private static void times(Map<String, Object> all) {
        java.time.LocalDateTime local = java.time.LocalDateTime.of(2024, 2, 29, 23, 59, 58, 123_000_000);
        java.time.ZoneOffset offset = java.time.ZoneOffset.ofHoursMinutes(5, 30);
        all.put("Date", new java.util.Date(894621091000L));
        all.put("sql.Date", new java.sql.Date(894621091000L));
        all.put("sql.Time", new java.sql.Time(1234L));
        all.put("sql.Timestamp", new java.sql.Timestamp(894621091123L));
        java.sql.Timestamp nanos = new java.sql.Timestamp(894621091000L);
        nanos.setNanos(123_456_789);
        all.put("sql.Timestamp-nanos", nanos);
        Calendar calendar = new java.util.GregorianCalendar(TimeZone.getTimeZone("Asia/Shanghai"));
        calendar.setTimeInMillis(894621091000L);
        all.put("Calendar", calendar);
        all.put("TimeZone", TimeZone.getTimeZone("Asia/Shanghai"));
        all.put("LocalDate", local.toLocalDate());
        all.put("LocalDate-minus", java.time.LocalDate.of(-44, 3, 15));
        all.put("LocalDate-far", java.time.LocalDate.of(12345, 1, 2));
        all.put("LocalTime", local.toLocalTime());
        all.put("LocalTime-minute", java.time.LocalTime.of(7, 5));
        all.put("LocalDateTime", local);
        all.put("Instant", local.toInstant(offset));
        all.put("Instant-before", java.time.Instant.ofEpochSecond(-1, 999_999_999));
        all.put("Instant-min", java.time.Instant.MIN);
        all.put("Instant-max", java.time.Instant.MAX);
        all.put("Duration", java.time.Duration.ofSeconds(3661, 500_000_000));
        all.put("Duration-negative", java.time.Duration.ofMillis(-1500));
        all.put("Duration-small", java.time.Duration.ofNanos(-1));
        all.put("Duration-zero", java.time.Duration.ZERO);
        all.put("ZonedDateTime", local.atZone(java.time.ZoneId.of("Asia/Shanghai")));
        all.put("ZonedDateTime-offset", local.atZone(offset));
        all.put("OffsetDateTime", local.atOffset(offset));
        all.put("OffsetDateTime-utc", local.atOffset(java.time.ZoneOffset.UTC));
        all.put("OffsetTime", local.toLocalTime().atOffset(java.time.ZoneOffset.ofTotalSeconds(-3661)));
        all.put("ZoneId", java.time.ZoneId.of("Europe/Berlin"));
        all.put("ZoneOffset", offset);
        all.put("Year", java.time.Year.of(2024));
        all.put("YearMonth", java.time.YearMonth.of(2024, 2));
        all.put("MonthDay", java.time.MonthDay.of(2, 29));
        all.put("Period", java.time.Period.of(1, -2, 3));
        all.put("Period-zero", java.time.Period.ZERO);
        all.put("DayOfWeek", java.time.DayOfWeek.MONDAY);
        all.put("Month", java.time.Month.MAY);
        all.put("TimeUnit", TimeUnit.SECONDS);
    }

    private static void names(Map<String, Object> all) throws Exception {
        all.put("enum", Color.RED);
        all.put("enum-with-body", Planet.EARTH);
        all.put("enum-twice", Arrays.asList(Color.RED, Color.GREEN, Color.RED));
        all.put("EnumSet", EnumSet.of(Color.RED, Color.GREEN));
        all.put("EnumSet-empty", EnumSet.noneOf(Color.class));
        EnumMap<Color, Object> enums = new EnumMap<>(Color.class);
        enums.put(Color.RED, 1);
        all.put("EnumMap", enums);
        all.put("Class", String.class);
        all.put("Class-int", int.class);
        all.put("Class-array", int[].class);
        all.put("Class[]", new Class<?>[] {String.class, int.class});
        all.put("Locale", java.util.Locale.CHINA);
        all.put("Locale-variant", new java.util.Locale("de", "DE", "POSIX"));
        all.put("UUID", java.util.UUID.fromString("00000000-0000-0001-8000-000000000002"));
        all.put("URI", new java.net.URI("http://example.org/a?b#c"));
        all.put("URL", new java.net.URL("http://example.org:8080/a?b"));
        all.put("File", new java.io.File("/tmp/x"));
        all.put("Currency", java.util.Currency.getInstance("EUR"));
        all.put("Pattern", java.util.regex.Pattern.compile("a+", java.util.regex.Pattern.CASE_INSENSITIVE));
        java.util.BitSet bits = new java.util.BitSet();
        bits.set(3);
        bits.set(70);
        all.put("BitSet", bits);
        all.put("StringBuilder", new StringBuilder("abc"));
        all.put("Inet4Address", java.net.InetAddress.getByAddress("h", new byte[] {10, 0, 0, 1}));
        all.put("Optional", java.util.Optional.of("x"));
        all.put("OptionalInt", java.util.OptionalInt.of(1));
        all.put("Object", new Object());
        all.put("record", new Point(3, "p"));
        all.put("hidden-field", new Child());
        Node self = new Node();
        self.a = self;
        all.put("object-in-itself", self);
        all.put("SimpleEntry", new java.util.AbstractMap.SimpleEntry<>("k", 1));
    }

    private static void lists(Map<String, Object> all) {
        List<Object> two = new ArrayList<>(Arrays.asList("a", 1));
        all.put("ArrayList", two);
        all.put("ArrayList-long", new ArrayList<>(Collections.nCopies(300, 1L)));
        List<Object> self = new ArrayList<>();
        self.add(self);
        all.put("list-in-itself", self);
        all.put("ArrayList-subclass", new Sub());
        all.put("LinkedList", new java.util.LinkedList<>(two));
        all.put("Vector", new java.util.Vector<>(two));
        java.util.Stack<Object> stack = new java.util.Stack<>();
        stack.push(1);
        all.put("Stack", stack);
        all.put("ArrayDeque", new java.util.ArrayDeque<>(two));
        all.put("PriorityQueue", new java.util.PriorityQueue<>(List.of(3, 1, 2)));
        all.put("CopyOnWriteArrayList", new java.util.concurrent.CopyOnWriteArrayList<>(two));
        all.put("ConcurrentLinkedQueue", new java.util.concurrent.ConcurrentLinkedQueue<>(two));
        all.put("LinkedBlockingQueue", new java.util.concurrent.LinkedBlockingQueue<>(two));
        all.put("HashSet", new java.util.HashSet<>(List.of(1)));
        all.put("LinkedHashSet", new java.util.LinkedHashSet<>(two));
        all.put("TreeSet", new java.util.TreeSet<>(List.of("b", "a")));
        all.put("newSetFromMap", Collections.newSetFromMap(new java.util.concurrent.ConcurrentHashMap<>()));
        all.put("Arrays.asList", Arrays.asList("a", null));
        all.put("emptyList", Collections.emptyList());
        all.put("emptySet", Collections.emptySet());
        all.put("singletonList", Collections.singletonList(1));
        all.put("singleton", Collections.singleton(1));
        all.put("nCopies", Collections.nCopies(3, "x"));
        all.put("unmodifiableList", Collections.unmodifiableList(two));
        all.put("unmodifiableSet", Collections.unmodifiableSet(new java.util.HashSet<>(List.of(1))));
        all.put("unmodifiableCollection", Collections.unmodifiableCollection(two));
        all.put("synchronizedList", Collections.synchronizedList(two));
        all.put("checkedList", Collections.checkedList(two, Object.class));
        all.put("List.of", List.of(1, 2, 3));
        all.put("Set.of", java.util.Set.of(1));
        all.put("subList", two.subList(0, 1));
        all.put("reversed", java.util.stream.Stream.of(1, 2).toList());
        all.put("iterator", Arrays.asList(1, "a").iterator());
        all.put("enumeration", Collections.enumeration(Arrays.asList(1, 2)));
        all.put("Object[]", new Object[] {1, "a", new int[] {1}});
        all.put("List[]", new List<?>[] {two, null});
    }

    private static void maps(Map<String, Object> all) {
        Map<Object, Object> map = new HashMap<>();
        map.put("a", 1);
        map.put(null, null);
        all.put("HashMap", map);
        all.put("HashMap-empty", new HashMap<>());
        Map<Object, Object> self = new HashMap<>();
        self.put("self", self);
        all.put("map-in-itself", self);
        Map<Object, Object> keys = new LinkedHashMap<>();
        keys.put(1L, "long");
        keys.put(new ArrayList<>(List.of(1)), "list");
        keys.put(new java.util.Date(0), "date");
        keys.put(Color.RED, "enum");
        all.put("LinkedHashMap-keys", keys);
        all.put("TreeMap", new java.util.TreeMap<>(Map.of("b", 1, "a", 2)));
        all.put("Hashtable", new java.util.Hashtable<>(Map.of("a", 1)));
        java.util.Properties properties = new java.util.Properties();
        properties.setProperty("k", "v");
        all.put("Properties", properties);
        all.put("ConcurrentHashMap", new java.util.concurrent.ConcurrentHashMap<>(Map.of("a", 1)));
        all.put("IdentityHashMap", new java.util.IdentityHashMap<>(Map.of("a", 1)));
        all.put("WeakHashMap", new java.util.WeakHashMap<>(Map.of("a", 1)));
        all.put("emptyMap", Collections.emptyMap());
        all.put("singletonMap", Collections.singletonMap("a", 1));
        all.put("unmodifiableMap", Collections.unmodifiableMap(Map.of("a", 1)));
        all.put("synchronizedMap", Collections.synchronizedMap(new HashMap<>(Map.of("a", 1))));
        all.put("Map.of", Map.of("a", 1));
        all.put("keySet", new HashMap<>(Map.of("a", 1)).keySet());
        all.put("values", new HashMap<>(Map.of("a", 1)).values());
        all.put("entrySet", new HashMap<>(Map.of("a", 1)).entrySet());
    }

    private static void thrown(Map<String, Object> all) {
        Throwable plain = new RuntimeException("boom");
        all.put("exception", plain);
        RuntimeException bare = new RuntimeException("boom");
        bare.setStackTrace(new StackTraceElement[0]);
        all.put("exception-bare", bare);
        all.put("exception-null-message", new IllegalStateException((String) null));
        all.put("exception-no-cause", new RuntimeException("x", null));
        Throwable chain = new Error("deepest");
        for (int n = 0; n < 20; n++) chain = new IllegalStateException("cause " + n, chain);
        all.put("exception-chain", chain);
        RuntimeException a = new RuntimeException("a");
        RuntimeException b = new RuntimeException("b", a);
        a.initCause(b);
        all.put("exception-cycle", a);
        RuntimeException busy = new RuntimeException("busy");
        busy.addSuppressed(new java.io.IOException("first"));
        busy.addSuppressed(new Business("second", null));
        all.put("exception-suppressed", busy);
        all.put("exception-with-fields", new Business("no", new java.sql.SQLException("sql", "23000", 1062)));
        all.put("StackTraceElement", new StackTraceElement("a.B", "m", "B.java", 7));
        all.put("StackTraceElement-native", new StackTraceElement("loader", "mod", "1", "a.B", "m", null, -2));
        all.put("exceptions-shared", Arrays.asList(plain, plain));
    }
}
