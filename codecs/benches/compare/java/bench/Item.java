package bench;

import java.io.Serializable;
import java.util.Date;
import java.util.List;

public class Item implements Serializable {
    public Date created;
    public List<String> tags;
    public long id;
    public String sku;
    public String name;
    public double price;
    public int quantity;
    public boolean active;
    public Long parent;
    public String note;
}
