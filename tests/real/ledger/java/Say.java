package org.landbridge.ledger;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Date;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Values as text, each with its class, so that a value that is merely alike is told apart. */
final class Say {
    private Say() {
    }

    static String of(Object o) {
        if (o == null) return "null";
        Class<?> type = o.getClass();
        if (o instanceof String) return "\"" + o + "\"";
        if (o instanceof Enum) return ((Enum<?>) o).getDeclaringClass().getSimpleName() + "." + ((Enum<?>) o).name();
        if (o instanceof Throwable) return thrown((Throwable) o);
        if (type.isArray()) {
            List<String> parts = new ArrayList<>();
            for (int i = 0; i < Array.getLength(o); i++) parts.add(of(Array.get(o, i)));
            return type.getSimpleName() + parts;
        }
        if (o instanceof Collection) {
            List<String> parts = new ArrayList<>();
            for (Object e : (Collection<?>) o) parts.add(of(e));
            if (o instanceof Set) Collections.sort(parts);
            return type.getSimpleName() + parts;
        }
        if (o instanceof Map) {
            List<String> parts = new ArrayList<>();
            // a key of another class than the declared one is in the map and not found in it
            for (Map.Entry<?, ?> e : ((Map<?, ?>) o).entrySet())
                parts.add(of(e.getKey()) + "=" + of(e.getValue()) + (((Map<?, ?>) o).get(e.getKey()) == e.getValue() ? "" : " lost"));
            Collections.sort(parts);
            return type.getSimpleName() + parts;
        }
        if (o instanceof Date) return type.getSimpleName() + ":" + ((Date) o).getTime();
        if (type.getName().startsWith("org.landbridge.ledger.")) return type.getSimpleName() + "(" + String.join(", ", fields(o, type, false)) + ")";
        return type.getSimpleName() + ":" + o;
    }

    /** The fields that somebody has set. */
    static String touched(Object o) {
        return String.join(", ", fields(o, o.getClass(), true));
    }

    static String thrown(Throwable t) {
        List<String> parts = fields(t, t.getClass(), false);
        parts.add(0, of(t.getMessage()));
        if (t.getCause() != null) parts.add("cause=" + thrown(t.getCause()));
        return t.getClass().getSimpleName() + "(" + String.join(", ", parts) + ")";
    }

    private static List<String> fields(Object o, Class<?> type, boolean touched) {
        Deque<Class<?>> classes = new ArrayDeque<>();
        for (Class<?> c = type; c.getName().startsWith("org.landbridge.ledger."); c = c.getSuperclass()) classes.push(c);
        List<String> parts = new ArrayList<>();
        try {
            for (Class<?> c : classes) {
                for (Field f : c.getDeclaredFields()) {
                    if (Modifier.isStatic(f.getModifiers())) continue;
                    Object v = f.get(o);
                    boolean empty = v == null || v instanceof Collection && ((Collection<?>) v).isEmpty() || v instanceof Map && ((Map<?, ?>) v).isEmpty();
                    if (!touched || !empty) parts.add(f.getName() + "=" + of(v));
                }
            }
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
        return parts;
    }
}
