package oracle;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Date;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** A value as one line: classes, contents, and which containers are the same. Hash containers are sorted. */
final class Show {
    private final IdentityHashMap<Object, Integer> seen = new IdentityHashMap<>();

    String show(Object v) throws Exception {
        if (v == null) return "null";
        Class<?> c = v.getClass();
        if (v instanceof String) return quote((String) v);
        if (v instanceof Double) return "D" + Long.toHexString(Double.doubleToLongBits((Double) v));
        if (v instanceof Float) return "F" + Integer.toHexString(Float.floatToIntBits((Float) v));
        if (v instanceof byte[]) return "[B" + Main.hex((byte[]) v);
        if (v instanceof Enum) return c.getName() + "." + ((Enum<?>) v).name();
        if (v instanceof Date) return c.getName() + ((Date) v).getTime();
        if (v instanceof Iterator) {
            List<String> items = new ArrayList<>();
            for (Iterator<?> it = (Iterator<?>) v; it.hasNext();) items.add(show(it.next()));
            return "iterator" + items;
        }
        if (v instanceof Number || v instanceof Boolean || v instanceof Character || c.getName().startsWith("java.time.")
                || v instanceof java.util.UUID || v instanceof java.util.Locale || v instanceof Class || v instanceof StackTraceElement)
            return c.getName() + "(" + v + ")";
        Integer number = seen.get(v);
        if (number != null) return "#" + number;
        seen.put(v, seen.size());
        List<String> parts = new ArrayList<>();
        if (c.isArray()) {
            for (int i = 0; i < Array.getLength(v); i++) parts.add(show(Array.get(v, i)));
        } else if (v instanceof Collection) {
            for (Object item : (Collection<?>) v) parts.add(show(item));
            if (v instanceof java.util.HashSet) Collections.sort(parts);
        } else if (v instanceof Map) {
            // In the map's own order: the same for equal insertions, and numbers of shared objects need one.
            for (Map.Entry<?, ?> e : ((Map<?, ?>) v).entrySet()) parts.add(show(e.getKey()) + "=" + show(e.getValue()));
        } else if (v instanceof Throwable) {
            Throwable t = (Throwable) v;
            parts.add(show(t.getMessage()));
            parts.add(show(t.getCause()));
            parts.add(Arrays.toString(t.getStackTrace()));
            parts.add(Integer.toString(t.getSuppressed().length));
        } else if (v instanceof java.util.Calendar) {
            parts.add(Long.toString(((java.util.Calendar) v).getTimeInMillis()));
        } else if (v instanceof java.util.TimeZone) {
            parts.add(((java.util.TimeZone) v).getID());
        } else if (v instanceof java.util.Map.Entry) {
            parts.add(show(((Map.Entry<?, ?>) v).getKey()) + "=" + show(((Map.Entry<?, ?>) v).getValue()));
        } else if (c != Object.class && (c.getName().startsWith("java.") || c.getName().startsWith("sun."))) {
            parts.add(v.toString());
        } else {
            for (Class<?> k = c; k != null && !k.getName().startsWith("java."); k = k.getSuperclass())
                for (Field f : k.getDeclaredFields())
                    if (!Modifier.isStatic(f.getModifiers())) {
                        f.setAccessible(true);
                        parts.add(f.getName() + ":" + show(f.get(v)));
                    }
        }
        return c.getName() + parts;
    }

    private static String quote(String s) {
        StringBuilder b = new StringBuilder("\"");
        for (int i = 0; i < s.length(); i++) {
            char ch = s.charAt(i);
            if (ch < 0x20 || ch > 0x7e || ch == '"' || ch == '\\') b.append(String.format("\\u%04x", (int) ch));
            else b.append(ch);
        }
        return b.append('"').toString();
    }
}
