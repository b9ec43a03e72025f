//! `pummel completions` and `pummel man`: made from the definitions of the flags, so they cannot fall behind.

use std::{fmt::Write, io};

use clap::Command;
use clap_mangen::Man;

use crate::{
    console::Stream,
    exit,
    flags::{command, CompletionsFlags},
};

/// Prints a shell's completion script.
pub(crate) fn completions(flags: &CompletionsFlags) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut command(), "pummel", &mut script);
    Stream::Stdout.print(&String::from_utf8_lossy(&script));
    exit::DONE
}

/// Prints the man page: the program, then each command.
pub(crate) fn man() -> u8 {
    Stream::Stdout.print(&man_page());
    exit::DONE
}

fn man_page() -> String {
    let mut command = command();
    command.build();
    let mut commands: Vec<&Command> = command.get_subcommands().collect();
    commands.sort_by_key(|command| command.get_display_order());

    let top = Man::new(command.clone());
    let mut page = rendered(|page| {
        top.render_title(page)?;
        top.render_name_section(page)?;
        top.render_synopsis_section(page)?;
        top.render_description_section(page)?;
        top.render_options_section(page)
    });
    for command in commands {
        let man = Man::new(command.clone());
        let sections = rendered(|page| {
            man.render_synopsis_section(page)?;
            man.render_description_section(page)?;
            man.render_options_section(page)?;
            if command.get_after_long_help().is_some() {
                man.render_extra_section(page)?;
            }
            Ok(())
        });
        // A command's sections are parts of the page's section on that command.
        let parts = sections.replace("\n.SH EXTRA\nEXAMPLES:\n", "\n.SS EXAMPLES\n").replace("\n.SH ", "\n.SS ");
        let _ = write!(page, ".SH \"PUMMEL {}\"\n{parts}", command.get_name().to_uppercase());
    }
    page + &rendered(|page| top.render_extra_section(page))
        .replace("\n.SH EXTRA\nExit codes:\n", "\n.SH \"EXIT STATUS\"\n")
}

/// What `render` writes. Writing into memory does not fail, so there is no error to give.
fn rendered(render: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    let _ = render(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
