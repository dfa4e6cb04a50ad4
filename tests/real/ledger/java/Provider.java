package org.landbridge.ledger;

import java.math.BigDecimal;
import java.util.Arrays;
import java.util.Date;
import org.landbridge.peers.core.Adapter;
import org.landbridge.peers.core.Cfg;
import org.landbridge.peers.core.ConsumerMain;
import org.landbridge.peers.core.Out;

/** Serves the ledger, and says of each call what it was given. */
public final class Provider implements Ledger {
    public static void main(String[] args) throws Exception {
        Adapter rpc = ConsumerMain.adapter();
        Adapter.Opts o = new Adapter.Opts();
        o.protocol = Cfg.get("protocol", "dubbo");
        o.port = Cfg.num("port", 20880);
        rpc.export(Ledger.class, new Provider(), o);
        Out.line("event", "ready", "dubbo", rpc.version());
        Thread.currentThread().join();
    }

    private static void called(String method, String said) {
        Out.line("event", "call", "method", method, "said", said);
    }

    @Override public Entry find(long id) {
        called("find(long)", Say.of(id));
        return id == 404 ? null : new Entry("id-" + id, null, null);
    }

    @Override public Entry find(String code) {
        called("find(String)", Say.of(code));
        return new Entry("code-" + code, 1, "1.50");
    }

    @Override public Entry find(String code, int limit) {
        called("find(String,int)", Say.of(code) + ", " + limit);
        return new Entry("code-" + code, limit, null);
    }

    @Override public String book(String account, BigDecimal amount, Entry entry, int[] lines, Boolean force) {
        String said = Say.of(account) + ", " + Say.of(amount) + ", " + Say.of(entry) + ", " + Say.of(lines) + ", " + Say.of(force);
        called("book", said);
        return account == null ? null : said;
    }

    @Override public Shapes put(Shapes shapes) {
        called("put", Say.touched(shapes));
        return shapes;
    }

    @Override public Entry charge(String account, long cents) throws OverdrawnException {
        called("charge", Say.of(account) + ", " + cents);
        switch (account) {
            case "poor":
                OverdrawnException poor = new OverdrawnException("no money: 中文", new IllegalStateException("ledger closed"));
                poor.account = account;
                poor.missing = new BigDecimal("1.50");
                poor.hints = Arrays.asList("wait", "pay");
                poor.kind = Kind.CREDIT;
                poor.until = new Date(5);
                poor.last = new Entry("last", 2, "0.10");
                throw poor;
            case "bare": throw new OverdrawnException(null, null);
            case "frozen": throw new FrozenException("frozen since May");
            case "stray": throw new StrayException("gone astray");
            case "jdk": throw new IllegalArgumentException("cents");
            default: return new Entry(account, (int) cents, null);
        }
    }

    @Override public void touch(String account) { called("touch", Say.of(account)); }

    @Override public void ping() { called("ping", ""); }

    @Override public Integer count(String account) {
        called("count", Say.of(account));
        return account.isEmpty() ? null : Integer.valueOf(0);
    }

    @Override public Node walk(Node node) {
        called("walk", Say.of(node));
        return node.name.equals("cycle") ? Samples.tree(true) : node;
    }

    @Override public Tight narrow(Tight tight) {
        called("narrow", Say.of(tight));
        return Samples.tight(tight.note);
    }
}
