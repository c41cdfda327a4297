/* src/phoenix-server/admin.h - the table of admin commands, for the client's help */
#pragma once
#include <stdio.h>

void admin_print_commands(FILE *out);
void admin_print_man(FILE *out);
