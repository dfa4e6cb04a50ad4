package oracle;

public enum Color {
    RED, GREEN, BLUE_GREY
}
