# make            builds
# make up         installs what it needs, builds, makes the image, starts the desktops of FILE
# make test       installs what it needs, builds, runs every test
# make install    programs, man pages, completions, units, recipes (DESTDIR is heeded)
# make uninstall  takes them away again; desktops, images and /etc/phoenix stay
# make bench      measures (bench/README.md)
# make format     clang-format over the tree; make check-format only looks
# make fuzz       each fuzz target for FUZZ_SECONDS with libFuzzer

BUILD ?= build
SANITIZED ?= $(BUILD)-asan
FILE ?= examples/quickstart.yaml
FUZZ_SECONDS ?= 20
PHOENIX = $(BUILD)/src/phoenix/phoenix
SOURCES = $(shell git ls-files '*.c' '*.h' | grep -v -e '\.pb-c\.' -e '^third_party/')

.PHONY: all up test install uninstall bench format check-format fuzz clean deps root

all: deps $(BUILD)/build.ninja
	@[ -t 1 ] && quiet= || quiet=--quiet; ninja -C $(BUILD) $$quiet
	@packaging/bundle-host.sh $(BUILD)/src/phoenix-host/phoenix-host $(BUILD)/desktop-bundle

$(BUILD)/build.ninja: | deps
	@meson setup $(BUILD) >/dev/null || { cat $(BUILD)/meson-logs/meson-log.txt; exit 1; }

root:
	@[ "$$(id -u)" = 0 ] || { echo "make up: needs root (hint: sudo make up)" >&2; exit 1; }

deps:
	@packaging/install-deps.sh build run

up: root all
	@packaging/up.sh $(PHOENIX) $(FILE)

test:
	@packaging/install-deps.sh build run test
	@tests/build $(BUILD) $(SANITIZED)
	@tests/run --programs $(BUILD) --unit $(SANITIZED) $(TESTS)

install: all
	@meson install -C $(BUILD) --no-rebuild
	@packaging/bundle-host.sh $(BUILD)/src/phoenix-host/phoenix-host $(DESTDIR)/usr/lib/phoenix/desktop-bundle

uninstall:
	@ninja -C $(BUILD) --quiet uninstall >/dev/null
	@rm -rf $(DESTDIR)/usr/lib/phoenix/desktop-bundle
	@[ ! -d $(DESTDIR)/usr/lib/phoenix ] || rmdir --ignore-fail-on-non-empty $(DESTDIR)/usr/lib/phoenix

bench: all
	@bench/run $(PHOENIX)

fuzz:
	@packaging/install-deps.sh build fuzz
	@tests/build --fuzz $(BUILD)-fuzz
	@tests/run --fuzz $(BUILD)-fuzz --seconds $(FUZZ_SECONDS)

format:
	@clang-format -i $(SOURCES)

check-format:
	@clang-format --dry-run --Werror $(SOURCES)

clean:
	@rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-fuzz
