import com.alibaba.com.caucho.hessian.io.Hessian2Input;
import com.alibaba.com.caucho.hessian.io.Hessian2Output;
import com.alibaba.com.caucho.hessian.io.SerializerFactory;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.InputStreamReader;
import java.io.Serializable;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.URI;
import java.time.*;
import java.util.*;
import java.util.concurrent.atomic.*;

/**
 * Reads objects that a plan wrote, one a line in hex, as the typed classes below; says what is in each field, one line a field,
 * and writes the object again. Run with the jar of one release of hessian-lite.
 */
public class Plans {
    public enum Color { RED { @Override public String toString() { return "crimson"; } }, GREEN }

    public static class Item implements Serializable {
        public String sku;
        public Integer count;
        @Override public boolean equals(Object o) { return o instanceof Item && Objects.equals(sku, ((Item) o).sku); }
        @Override public int hashCode() { return Objects.hashCode(sku); }
        @Override public String toString() { return "Item(" + sku + "," + count + ")"; }
    }

    public static class Special extends Item {
        public boolean extra;
        @Override public String toString() { return "Special(" + sku + "," + count + "," + extra + ")"; }
    }

    public static class Node implements Serializable {
        public String name;
        public Node parent;
        public List<Node> children;
        @Override public String toString() {
            boolean linked = true;
            for (Node child : children) linked &= child.parent == this;
            return name + children + (linked ? "" : " unlinked");
        }
    }

    public static class Result<T> implements Serializable {
        public int code;
        public T data;
        @Override public String toString() { return "Result(" + code + "," + data + ")"; }
    }

    public static class Base implements Serializable {
        public String note;
        public long version;
    }

    public static class Everything extends Base {
        public boolean flag; public byte tiny; public short small; public char letter; public int whole; public long large; public double real;
        public Integer nothing; public Long zero; public Float boxedFloat; public Character boxedChar; public String text; public String emoji;
        public byte[] bytes; public Byte[] boxedBytes; public char[] chars; public short[] shorts; public long[] longs; public Integer[] integers;
        public BigDecimal amount; public BigInteger big; public BigInteger bigZero;
        public Date date; public java.sql.Timestamp stamp; public java.sql.Date sqlDate; public java.sql.Time sqlTime; public Calendar calendar;
        public Instant instant; public Duration duration; public LocalDate day; public LocalTime time; public LocalDateTime moment;
        public OffsetDateTime offsetMoment; public ZonedDateTime zoned; public OffsetTime offsetTime; public Year year; public YearMonth yearMonth;
        public MonthDay monthDay; public Period period; public ZoneId zone; public ZoneOffset zoneOffset;
        public UUID uuid; public Locale locale; public Currency currency; public URI uri; public File file; public TimeZone timeZone; public Class<?> type;
        public AtomicInteger atomicInt; public AtomicLong atomicLong; public AtomicBoolean atomicFlag;
        public Color color; public EnumSet<Color> colors; public Set<String> names; public List<Set<Long>> nested; public LinkedList<Integer> linked;
        public Map<Long, Item> items; public TreeMap<String, Integer> sorted; public Map<Color, String> byColor; public Map<BigDecimal, String> byAmount;
        public Item[] array; public Item item; public Item special; public Object any; public Object dynamic; public Result<Item> result; public Node tree;
        public List<String> emptyList; public List<String> nullList; public List<Integer> holes;
    }

    public static void main(String[] args) throws Exception {
        SerializerFactory factory = new SerializerFactory();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            byte[] bytes = new byte[line.length() / 2];
            for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) Integer.parseInt(line.substring(2 * i, 2 * i + 2), 16);
            try {
                Hessian2Input input = new Hessian2Input(new ByteArrayInputStream(bytes));
                input.setSerializerFactory(factory);
                Object read = input.readObject();
                for (Class<?> c = read.getClass(); c != Object.class; c = c.getSuperclass())
                    for (Field field : c.getDeclaredFields()) System.out.println("field " + field.getName() + " " + say(field.get(read)));
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                Hessian2Output output = new Hessian2Output(out);
                output.setSerializerFactory(factory);
                output.writeObject(read);
                output.flush();
                StringBuilder hex = new StringBuilder();
                for (byte b : out.toByteArray()) hex.append(String.format("%02x", b));
                System.out.println("bytes " + hex);
            } catch (Throwable e) {
                System.out.println("error " + e);
            }
        }
    }

    /** A value with its class; elements with theirs. */
    static String say(Object o) {
        if (o == null) return "null";
        String name = o.getClass().getSimpleName();
        if (o instanceof Enum) return "enum:" + ((Enum<?>) o).name();
        if (o.getClass().isArray()) {
            StringBuilder text = new StringBuilder(name).append(":");
            for (int i = 0; i < Array.getLength(o); i++) text.append(i == 0 ? "" : ",").append(Array.get(o, i));
            return text.toString();
        }
        if (o instanceof Set && ((Set<?>) o).iterator().hasNext() && ((Set<?>) o).iterator().next() instanceof Enum)
            return (o instanceof EnumSet ? "EnumSet:" : name + ":") + names((Set<?>) o);
        if (o instanceof Collection) {
            StringBuilder text = new StringBuilder(name).append(":");
            for (Object e : (Collection<?>) o) text.append("[").append(say(e)).append("]");
            return text.toString();
        }
        if (o instanceof Map) {
            StringBuilder text = new StringBuilder(name).append(":");
            for (Map.Entry<?, ?> e : ((Map<?, ?>) o).entrySet())
                text.append("[").append(say(e.getKey())).append("=").append(say(e.getValue())).append(((Map<?, ?>) o).get(e.getKey()) == e.getValue() ? "" : " lost").append("]");
            return text.toString();
        }
        if (o instanceof Calendar) return "Calendar:" + ((Calendar) o).getTimeInMillis();
        if (o instanceof java.sql.Date || o instanceof java.sql.Time || o instanceof java.sql.Timestamp || o instanceof Date) return o.getClass().getName() + ":" + ((Date) o).getTime();
        if (o instanceof TimeZone) {
            TimeZone zone = (TimeZone) o;
            return "TimeZone:" + zone.getID() + "," + zone.getRawOffset() + "," + zone.getOffset(1719792000000L) + "," + zone.getOffset(1704067200000L) + "," + zone.useDaylightTime();
        }
        if (o instanceof String && ((String) o).length() > 100) return "String:" + ((String) o).length() + "," + o.hashCode();
        if (o instanceof Character) return "Character:" + (int) (Character) o;
        return name + ":" + o;
    }

    static String names(Set<?> set) {
        StringBuilder text = new StringBuilder();
        for (Object e : set) text.append(text.length() == 0 ? "" : ",").append(((Enum<?>) e).name());
        return text.toString();
    }
}
