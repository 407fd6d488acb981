import pytest

from bot.domain.edit import EditRefused, EntryWhere, Step, parse_path, render_path


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("tag", ("tag",)),
        ("image.tag", ("image", "tag")),
        ("images[0].tag", ("images", 0, "tag")),
        ("[1][2]", (1, 2)),
        ("images[name=web].tag", ("images", EntryWhere(fields=("name",), value="web"), "tag")),
        (
            "images[name=localhost:5000/a.b/web].tag",
            ("images", EntryWhere(fields=("name",), value="localhost:5000/a.b/web"), "tag"),
        ),
        (r"annotations.example\.com/tag", ("annotations", "example.com/tag")),
        (r"a\[0\].b", ("a[0]", "b")),
        (r"a\\b", ("a\\b",)),
        ("image tag.8080", ("image tag", "8080")),
    ],
)
def test_path_is_read_and_written_back(text: str, steps: tuple[Step, ...]) -> None:
    assert parse_path(text) == steps
    assert render_path(steps) == text


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a[-1]", "a[x]", "a[0]b", "a]", "a[name=]", "a\\", "a[٣]"]
)
def test_malformed_path_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(EditRefused, match="this is not a path such as") as refused:
        parse_path(text, file="values.yaml")
    assert (refused.value.file, refused.value.line, refused.value.path) == ("values.yaml", 0, text)
