package oracle;

import java.io.Serializable;
import java.util.Date;

/** Fields of declared types; no primitive float, which hessian-lite 4.0.4 destroys as it reads. */
public class Leaf extends Base {
    public int i;
    public long l;
    public double d;
    public boolean z;
    public short s;
    public byte y;
    public char c;
    public Integer boxed;
    public Long boxedLong;
    public String text;
    public Date date;
    public byte[] bytes;
    public Color color;
}

class Base implements Serializable {
    public String parent;
}
