# a plugin that is a shared object, for the loader's test
$(BUILD)/tests/plugins/libstrongswan-%.so: tests/unit/crypto/plugin_%.c | $(BUILD)/gen/config.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=c11 $(OPT) $(WARN) -fPIC -shared -o $@ $<
$(BUILD)/tests/unit/crypto/test_loader: $(patsubst tests/unit/crypto/plugin_%.c,$(BUILD)/tests/plugins/libstrongswan-%.so,$(wildcard tests/unit/crypto/plugin_*.c))
