package org.landbridge.ledger;

import java.io.Serializable;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZonedDateTime;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;

/** The legacy interface: ledger.proto is what its service became, binding.yaml says which is which. */
public interface Ledger {
    Entry find(long id);

    Entry find(String code);

    Entry find(String code, int limit);

    String book(String account, BigDecimal amount, Entry entry, int[] lines, Boolean force);

    Shapes put(Shapes shapes);

    Entry charge(String account, long cents) throws OverdrawnException, FrozenException;

    void touch(String account);

    void ping();

    Integer count(String account);

    Node walk(Node node);

    Tight narrow(Tight tight);

    /** LOST is what the .proto has not. */
    enum Kind { DEBIT, CREDIT, LOST }

    class Entry implements Serializable {
        public String code;
        public Integer count;
        public BigDecimal price;

        public Entry() {
        }

        public Entry(String code, Integer count, String price) {
            this.code = code;
            this.count = count;
            this.price = price == null ? null : new BigDecimal(price);
        }

        @Override public boolean equals(Object o) { return o instanceof Entry && Objects.equals(code, ((Entry) o).code); }

        @Override public int hashCode() { return Objects.hashCode(code); }
    }

    class Refund extends Entry {
        public String reason;
        public long at;
    }

    /** Bound nowhere: a caller's own. */
    class Gift extends Entry {
        public String card = "with love";
    }

    class Audit implements Serializable {
        public String by;
        public long version;
    }

    class Audited extends Audit {
        public String note;
    }

    class Node implements Serializable {
        public String name;
        public Node parent;
        public List<Node> children;
    }

    class Shapes implements Serializable {
        public Map<String, Integer> byName;
        public Map<Integer, String> byInt;
        public Map<Long, Entry> byLong;
        public Map<Kind, Integer> byKind;
        public Map<Boolean, String> byFlag;
        public Map<BigDecimal, String> byAmount;
        public Map<Entry, Long> byEntry;
        public Map<String, String> labels;
        public Map<String, String> sealed;
        public Set<String> tags;
        public TreeSet<Long> ids;
        public Set<Kind> kinds;
        public BigDecimal amount;
        public BigInteger big;
        public Date date;
        public Instant instant;
        public LocalDate day;
        public LocalDateTime moment;
        public Duration duration;
        public ZonedDateTime zoned;
        public List<List<Long>> nested;
        public List<Map<String, Integer>> tables;
        public List<String> names;
        public List<String> dropped;
        public List<String> zeroed;
        public List<Integer> holes;
        public Integer whole;
        public Long large;
        public Boolean flag;
        public Double real;
        public String text;
        public Entry any;
        public Entry first;
        public Entry second;
        public Audited audited;
        public Kind kind;
        public List<Entry> entries;
    }

    class Tight implements Serializable {
        public String note;
        public byte tiny;
        public int positive;
        public int whole;
        public long large;
        public BigDecimal amount;
        public Kind kind;
        public List<String> names;
        public Date at;
    }

    /** Bound with its fields. */
    class OverdrawnException extends Exception {
        public String account;
        public BigDecimal missing;
        public List<String> hints;
        public Kind kind;
        public Date until;
        public Entry last;

        public OverdrawnException(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** Bound by its code alone. */
    class FrozenException extends RuntimeException {
        public String account;

        public FrozenException(String message) {
            super(message);
        }
    }

    /** Bound nowhere. */
    class StrayException extends RuntimeException {
        public int depth = 3;

        public StrayException(String message) {
            super(message);
        }
    }
}
