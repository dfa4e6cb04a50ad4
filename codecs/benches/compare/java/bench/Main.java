package bench;

import com.alibaba.com.caucho.hessian.io.Hessian2Input;
import com.alibaba.com.caucho.hessian.io.Hessian2Output;
import com.alibaba.com.caucho.hessian.io.SerializerFactory;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;

/** Decodes and encodes the messages in a folder with hessian-lite; one JSON line a figure. */
public final class Main {
    static final SerializerFactory FACTORY = new SerializerFactory();
    static Object sink;

    interface Run {
        Object run() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        String[] names = args[2].split(",");
        for (int n = 0; n < names.length; n++) {
            Path file = Paths.get(args[1], n + ".bin");
            byte[] bytes = Files.readAllBytes(file);
            Object value = decode(bytes);
            print(args[0], "decode", names[n], bytes.length, measure(() -> decode(bytes)));
            print(args[0], "encode", names[n], bytes.length, measure(() -> encode(value)));
        }
    }

    static Object decode(byte[] bytes) throws Exception {
        Hessian2Input in = new Hessian2Input(new ByteArrayInputStream(bytes));
        in.setSerializerFactory(FACTORY);
        return in.readObject();
    }

    static Object encode(Object value) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Hessian2Output out = new Hessian2Output(bytes);
        out.setSerializerFactory(FACTORY);
        out.writeObject(value);
        out.flush();
        return bytes;
    }

    static void print(String codec, String what, String message, int len, double nanos) {
        System.out.printf(java.util.Locale.ROOT,
                "{\"codec\":\"%s\",\"what\":\"%s\",\"message\":\"%s\",\"bytes\":%d,\"nanos\":%.1f}%n", codec, what, message, len, nanos);
    }

    /** Nanoseconds a run: the median of nine batches of 100 ms, after 2 s of warming up for the compilers. */
    static double measure(Run run) throws Exception {
        batch(run, 2_000_000_000L);
        double[] figures = new double[9];
        for (int i = 0; i < figures.length; i++) figures[i] = batch(run, 100_000_000L);
        Arrays.sort(figures);
        return figures[4];
    }

    static double batch(Run run, long nanos) throws Exception {
        long start = System.nanoTime(), runs = 0, now;
        do {
            for (int i = 0; i < 8; i++) sink = run.run();
            runs += 8;
            now = System.nanoTime();
        } while (now - start < nanos);
        return (now - start) / (double) runs;
    }
}
