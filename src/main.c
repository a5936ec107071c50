/* SPDX-License-Identifier: MIT */
/* main.c - a command, or the terminal program. */
#include "cmd/cmd.h"

#include <locale.h>

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "");
	return cmd_main(argc, argv);
}
