package bench;

import java.io.Serializable;
import java.util.List;

public class User implements Serializable {
    public long id;
    public String name;
    public String email;
    public int age;
    public double score;
    public boolean active;
    public List<String> tags;
}
