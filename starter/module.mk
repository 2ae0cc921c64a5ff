programs += $(if $(wildcard $(d)/*.c),starter)
starter-src := $(wildcard $(d)/*.c)
starter-libs := libfreeswan libstrongswan
# its unit test runs the programs
$(BUILD)/tests/unit/starter/test_starter: $(addprefix $(BUILD)/bin/,starter whack stroke)
