package oracle;

import java.io.Serializable;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Values at the edges of every form: arrays of each element type, numbers by their bits, lengths around each border, depth, cycles. */
final class Edges {
    static final class Empty implements Serializable {
    }

    private static final int[] LENGTHS = {0, 1, 15, 16, 31, 32, 1023, 1024, 4092, 4093, 32767, 32768, 32769, 65535, 70000};

    static List<Object> all(Random random) {
        List<Object> all = new ArrayList<>();
        arrays(all, random);
        numbers(all, random);
        for (int length : LENGTHS) {
            byte[] bytes = new byte[length];
            random.nextBytes(bytes);
            all.add(bytes);
            char[] units = new char[length];
            for (int i = 0; i < length; i++) units[i] = (char) random.nextInt(0x10000);
            all.add(new String(units));
            Arrays.fill(units, 'a');
            if (length > 1) units[length - 1] = '\ud83d';
            all.add(new String(units) + "\ude00\u0000");
        }
        shapes(all);
        return all;
    }

    private static void arrays(List<Object> all, Random random) {
        float tiny = Float.intBitsToFloat(random.nextInt(1 << 23));
        all.add(new Character[] {'a', '\ud83d', null, '\u0000'});
        all.add(new Short[] {Short.MIN_VALUE, Short.MAX_VALUE, null});
        all.add(new Byte[] {Byte.MIN_VALUE, Byte.MAX_VALUE, null});
        all.add(new Float[] {0.1f, tiny, Float.NaN, Float.MAX_VALUE, null});
        all.add(new float[] {0.1f, tiny, Float.NEGATIVE_INFINITY, Float.MIN_VALUE, random.nextFloat()});
        all.add(new short[] {Short.MIN_VALUE, 0, Short.MAX_VALUE});
        all.add(new Boolean[] {true, null});
        all.add(new Long[] {Long.MIN_VALUE, null});
        all.add(new Double[] {0.5, null});
        all.add(new Date[] {new Date(60_000), new Date(1), new Date(Long.MAX_VALUE), null});
        all.add(new Color[] {Color.RED, Color.RED, Color.GREEN});
        all.add(new BigDecimal[] {new BigDecimal("1E-400"), BigDecimal.ZERO});
        all.add(new char[][] {"ab".toCharArray(), {}, "\ud83d".toCharArray()});
        all.add(new byte[][] {{1}, {}, new byte[70000]});
        all.add(new short[][] {{1, -1}, {}});
        all.add(new float[][] {{0.1f}, {}});
        all.add(new String[][] {{"a", null}, {}});
        all.add(new Object[][] {{1, 2L, "x"}, {new int[] {1}}});
        all.add(new int[][][] {{{1}}, {}});
        all.add(new int[0]);
        all.add(new String[0]);
        Object[] self = new Object[1];
        self[0] = self;
        all.add(self);
    }

    private static void numbers(List<Object> all, Random random) {
        List<Object> numbers = new ArrayList<>(Arrays.asList(Double.NaN, Double.NEGATIVE_INFINITY, Double.MAX_VALUE, Double.MIN_NORMAL));
        for (int n = 1; n < 12; n++) numbers.add(Double.longBitsToDouble(n));
        for (int n = 0; n < 300; n++) {
            numbers.add(Double.longBitsToDouble(random.nextLong()));
            numbers.add(Double.longBitsToDouble(random.nextLong() >>> 12));
            numbers.add(random.nextInt() * 0.001);
            numbers.add(random.nextLong() >> random.nextInt(64));
            numbers.add(random.nextInt() >> random.nextInt(32));
            numbers.add(new Date(random.nextInt() * 60_000L));
            numbers.add(new Date(random.nextLong() >> 20));
        }
        for (long border : new long[] {-8, 15, -2048, 2047, -262144, 262143, Integer.MIN_VALUE, Integer.MAX_VALUE, Long.MIN_VALUE, Long.MAX_VALUE}) {
            numbers.addAll(Arrays.asList(border, border - 1, border + 1, (int) border, (int) border - 1, (int) border + 1));
        }
        all.add(numbers);
        all.addAll(numbers.subList(0, 40));
    }

    private static void shapes(List<Object> all) {
        all.add(new Empty());
        all.add(Arrays.asList(new Empty(), new Empty()));
        Object deep = new ArrayList<>();
        for (int n = 0; n < 240; n++) deep = n % 2 == 0 ? new ArrayList<>(Collections.singletonList(deep)) : new LinkedHashMap<>(Collections.singletonMap("k", deep));
        all.add(deep);
        List<Object> many = new ArrayList<>();
        for (int n = 0; n < 30000; n++) many.add(n);
        all.add(many);
        Map<Object, Object> self = new HashMap<>();
        self.put("self", self);
        all.add(self);
        List<Object> shared = new ArrayList<>();
        shared.add(shared);
        shared.add(self);
        shared.add(new Object[] {shared, self});
        all.add(shared);
        all.add(Arrays.asList(Color.RED, EnumSet.of(Color.RED, Color.GREEN), Color.RED));
        all.add(EnumSet.of(Color.GREEN));
        all.add(new LinkedHashMap<>());
        all.add(new java.util.TreeMap<>());
        all.add(new java.util.HashSet<>());
    }
}
