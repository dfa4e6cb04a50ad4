package oracle;

import java.io.Serializable;

/** Fields that may hold anything. */
public class Node implements Serializable {
    public Object a;
    public Object b;
    public String name;
}
