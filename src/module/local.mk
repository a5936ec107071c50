# backend modules: programs of their own
# fake_world.{h,c}: shared by the fake module, tools/mksample and tests, which list it themselves
EXTRA_DIST += src/module/fake_world.h src/module/fake_world.c
