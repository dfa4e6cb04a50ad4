package oracle;

import com.alibaba.com.caucho.hessian.io.Hessian2Input;
import com.alibaba.com.caucho.hessian.io.Hessian2Output;
import com.alibaba.com.caucho.hessian.io.SerializerFactory;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Random;

/**
 * hessian-lite as a process. One value in hex a line:
 * echo: reads each and writes it again; show: reads each and prints it with its types; generate SEED COUNT: writes random ones;
 * special: writes one value of every special class, each line its name, its bytes and what was read back;
 * edges SEED: writes values at the edges of every form; typed: reads each and prints it with the printer of tests/peers/java.
 * What it cannot read or write is "error: ...".
 */
public final class Main {
    static final SerializerFactory FACTORY = new SerializerFactory();

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, "UTF-8");
        if (args[0].equals("generate")) {
            long seed = Long.parseLong(args[1]);
            for (int n = 0; n < Integer.parseInt(args[2]); n++) out.println(hex(encode(new Generator(new Random(seed + n)).value())));
        } else if (args[0].equals("edges")) {
            for (Object value : Edges.all(new Random(Long.parseLong(args[1])))) out.println(hex(encode(value)));
        } else if (args[0].equals("special")) {
            for (java.util.Map.Entry<String, Object> e : Special.all().entrySet()) {
                String hex, back;
                try {
                    hex = hex(encode(e.getValue()));
                } catch (Throwable error) {
                    hex = "error: " + error.toString().replace('\n', ' ');
                }
                out.println(e.getKey() + "\t" + hex + "\t" + (hex.startsWith("error") ? "" : show(hex)));
            }
        } else {
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                out.println(args[0].equals("echo") ? echo(line) : args[0].equals("typed") ? typed(line) : show(line));
            }
        }
        out.flush();
    }

    static String echo(String line) {
        try {
            return hex(encode(decode(unhex(line))));
        } catch (Throwable error) {
            return "error: " + error.toString().replace('\n', ' ');
        }
    }

    static String show(String line) {
        try {
            return new Show().show(decode(unhex(line)));
        } catch (Throwable error) {
            return "error: " + error.toString().replace('\n', ' ');
        }
    }

    static String typed(String line) {
        try {
            return org.landbridge.peers.core.Typed.json(decode(unhex(line)));
        } catch (Throwable error) {
            return "error: " + error.toString().replace('\n', ' ');
        }
    }

    static Object decode(byte[] bytes) throws Exception {
        Hessian2Input in = new Hessian2Input(new ByteArrayInputStream(bytes));
        in.setSerializerFactory(FACTORY);
        Object value = in.readObject();
        if (in.read() != -1) throw new IllegalStateException("bytes behind the value");
        return value;
    }

    static byte[] encode(Object value) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Hessian2Output out = new Hessian2Output(bytes);
        out.setSerializerFactory(FACTORY);
        out.writeObject(value);
        out.flush();
        return bytes.toByteArray();
    }

    static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder(2 * bytes.length);
        for (byte b : bytes) text.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
        return text.toString();
    }

    static byte[] unhex(String text) {
        byte[] bytes = new byte[text.length() / 2];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) Integer.parseInt(text.substring(2 * i, 2 * i + 2), 16);
        return bytes;
    }
}
